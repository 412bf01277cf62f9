// Swim's judgement: who accuses whom, who is declared failed, and when this node had better keep
// its opinions to itself.
#include <algorithm>

#include "gossip/swim/swim.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;

// An accused that talks on is told again, but not for each packet of a burst.
constexpr Duration kAccuseSpacing = milliseconds(50);
// A suspect whose time is up waits for more voices, which may also be gone: looked at so often.
constexpr Duration kJudgeInterval = milliseconds(100);
// What a connection found is said within its time, and a little.
constexpr Duration kLookSlack = milliseconds(20);

}  // namespace

void Swim::accuse(Member& member, const HostPort& to, Instant now) {
  if (now - member.accused < kAccuseSpacing) return;
  member.accused = now;
  outgoing_.push_back({to, {claim_of(member)}});
}

void Swim::on_accusation(Member& member, const Claim& claim, const HostPort& reply_to, bool news,
                         Instant now) {
  if (claim.incarnation < member.incarnation) return correct(member, reply_to, now);
  if (news) rumors_.heard(claim, retransmit_limit());
  if (!is_live(claim.id)) return;
  if (claim.incarnation > member.incarnation) {
    lapse(member);
    renew(member, claim);
    rehash(member);
  }
  if (claim.kind == ClaimKind::kFailed) {
    const bool holds = news && witnesses(claim.accusers) >= needed(member, now) &&
                       now - member.heard >= config_.heard_lately && !is_stalled(member, now);
    if (!holds && !member.suspicion) return recheck(member, claim, now);
    if (holds && !member.suspicion) start_suspicion(member, now);
    if (holds) member.condemned = true;
  }
  if (claim.accusers.empty()) return;
  if (is_stalled(member, now)) return defend(member, reply_to, now);
  const bool first = !member.suspicion;
  if (first) start_suspicion(member, now);
  const bool was_solid = solid(member);
  const bool enough = witnesses(member.suspicion->accusers()) >= needed(member, now);
  bool more = false;
  const auto counts = [this](const NodeId& id) { return is_witness(id); };
  for (const NodeId& accuser : claim.accusers) {
    if (accuser != claim.id) more = member.suspicion->accuse(accuser, counts) || more;
  }
  if (!more && !member.condemned) return;
  if (!was_solid && solid(member)) ++solid_;
  // What others have heard enough of is no news.
  if (!enough && more) spread(claim_of(member));
  judge(member, now);
  if (!member.suspicion) return;
  // The suspect first (buddy). Who heard it from others leaves that to them.
  const auto& accusers = claim.accusers;
  if (first && std::find(accusers.begin(), accusers.end(), self_) != accusers.end()) {
    accuse(member, member.info.address, now);
  }
  // Before its time is up some look again: the accusers may have lost a packet each.
  if (first && member.looked < now && rng_.below(live_.size() + 1) < config_.lookers) {
    look(member, now);
  }
}

// Who says this has not heard that the member refuted it.
void Swim::correct(Member& member, const HostPort& reply_to, Instant now) {
  if (!is_live(member.info.id) || now - member.accused < kAccuseSpacing) return;
  member.accused = now;
  outgoing_.push_back(
      {reply_to,
       {Claim{ClaimKind::kAlive, member.info.id, member.incarnation, member.info.address, {}}}});
}

// Somebody holds a member for failed that is alive here: one of the two was cut off. The accused is
// told, so that it can refute, and is probed next.
void Swim::recheck(Member& member, const Claim& claim, Instant now) {
  if (now - member.accused < kAccuseSpacing) return;
  member.accused = now;
  outgoing_.push_back({member.info.address, {claim}});
  doubtful_.insert(member.info.id);
}

void Swim::start_suspicion(Member& member, Instant now) {
  member.suspicion.emplace(now);
  member.condemned = false;
  ++counts_.suspicions;
  set_state(member, MemberState::kSuspect, false);
}

void Swim::end_suspicion(Member& member) {
  if (!member.suspicion) return;
  if (solid(member)) --solid_;
  member.suspicion.reset();
  suspicions_.erase(member.info.id);
}

void Swim::lapse(Member& member) {
  if (!member.suspicion) return;
  ++counts_.lapses;
  end_suspicion(member);
  rumors_.drop(member.info.id);
  set_state(member, MemberState::kAlive, false);
}

// By more than one other's word, or by this node's own.
bool Swim::solid(const Member& member) const {
  if (!member.suspicion) return false;
  const auto& accusers = member.suspicion->accusers();
  return accusers.size() >= 2 || (accusers.size() == 1 && accusers[0] == self_);
}

// Whether its word counts here. Who is accused by one other only may be accused by a sick one.
bool Swim::is_witness(const NodeId& id) const {
  if (id == self_) return true;
  const Member* member = peek(id);
  return member != nullptr && is_live(id) && !solid(*member);
}

size_t Swim::witnesses(std::span<const NodeId> accusers) const {
  return static_cast<size_t>(std::count_if(accusers.begin(), accusers.end(),
                                           [this](const NodeId& id) { return is_witness(id); }));
}

// Those that count, at most so many: what a verdict names.
std::vector<NodeId> Swim::voices_of(const Suspicion& suspicion, size_t most) const {
  std::vector<NodeId> voices;
  for (const NodeId& id : suspicion.accusers()) {
    if (voices.size() < most && is_witness(id)) voices.push_back(id);
  }
  return voices;
}

// How many must accuse it. Who is stalled cannot.
size_t Swim::needed(const Member& member, Instant now) {
  size_t cannot = solid_;
  std::erase_if(stalled_, [&](const NodeId& id) {
    const Member* other = peek(id);
    if (other == nullptr || !is_stalled(*other, now)) return true;
    if (other != &member && is_live(id) && !solid(*other)) ++cannot;
    return false;
  });
  if (!solid(member)) ++cannot;
  return quorum(config_, live_.size() > cannot ? live_.size() - cannot : 0);
}

void Swim::judge(Member& member, Instant now) {
  const Suspicion& suspicion = *member.suspicion;
  const size_t voices = needed(member, now);
  const Duration time = suspicion_time(config_, live_.size() + 1, voices);
  const bool enough = witnesses(suspicion.accusers()) >= voices;
  const Instant due = suspicion.start() + (member.condemned ? Duration(0) : time);
  const Instant next = enough ? look_first(member, due, now) : due;
  if (now < next) return suspicions_.set(member.info.id, next);
  const bool answered = member.answered && member.looked >= suspicion.start();
  if (enough && !answered) return declare_failed(member, voices_of(suspicion, voices + 1), true);
  if (now < suspicion.start() + time * config_.suspicion_lapse) {
    return suspicions_.set(member.info.id, now + kJudgeInterval);
  }
  const bool again = is_witness(self_) && rng_.below(live_.size() + 1) < config_.reconnect_probers;
  lapse(member);
  if (again) doubtful_.insert(member.info.id);
}

// This node's own look at a suspect that is about to be declared failed: at once, or, when it was
// its own probe that found it silent, once more at the end, as its refutation may have been lost.
// Returns when to judge next.
Instant Swim::look_first(Member& member, Instant due, Instant now) {
  const Duration takes = config_.tcp_timeout + kLookSlack;
  const auto& accusers = member.suspicion->accusers();
  const bool own = std::find(accusers.begin(), accusers.end(), self_) != accusers.end();
  const Instant start = member.suspicion->start();
  const Instant begin = own ? std::max(start, due - takes) : start;
  if (now < begin) return begin;
  if (member.looked < begin) look(member, now);
  return std::max(due, member.looked + takes);
}

void Swim::declare_failed(Member& member, std::vector<NodeId> accusers, bool spread_it) {
  end_suspicion(member);
  ++counts_.failures;
  set_state(member, MemberState::kFailed, false);
  member.verdict = std::move(accusers);
  rehash(member);
  spread_it ? spread(claim_of(member)) : rumors_.drop(member.info.id);
}

void Swim::expire_suspicions(Instant now) {
  if (now < quiet_until_ || isolated_) return;
  for (const NodeId& id : suspicions_.take_due(now)) judge(*find(id), now);
}

bool Swim::may_judge(Instant now) const {
  return now >= quiet_until_ && !isolated_ && awareness_ < config_.awareness_max / 2;
}

Instant Swim::isolation_deadline() const {
  if (isolated_) return isolation_end_.value_or(Instant::max());
  return live_.empty() ? Instant::max() : std::max(last_heard_ + config_.isolation, quiet_until_);
}

// Alone of all, it waits as long as one observer does, and then takes all others for failed.
void Swim::check_isolation(Instant now) {
  if (live_.empty() && !isolated_) last_heard_ = now;
  if (now < isolation_deadline()) return;
  if (isolated_) {
    isolation_end_.reset();
    while (!live_.empty()) {
      declare_failed(*find(members_.at(live_[live_.size() - 1])->info.id), {self_}, false);
    }
    return;
  }
  isolated_ = true;
  isolation_end_ = now + suspicion_time(config_, live_.size() + 1, 1);
  ++counts_.isolations;
  for (size_t i = 0; i < live_.size(); ++i) {
    const Member& member = *members_.at(live_[i]);
    if (!member.suspicion) start_suspicion(*find(member.info.id), now);
  }
}

void Swim::end_isolation(Instant now) {
  isolated_ = false;
  isolation_end_.reset();
  next_gossip_ = now;
  for (const NodeId& id : std::vector<NodeId>(suspects_.begin(), suspects_.end())) {
    lapse(*find(id));
  }
}

}  // namespace shoal::gossip
