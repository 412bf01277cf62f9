// Swim's probes: by datagram, then by stream and by helpers, who say what they found.
#include <algorithm>

#include "gossip/swim/swim.h"

namespace shoal::gossip {
namespace {

// Probes on behalf of others in flight; beyond it requests are not served (the asker hears nothing,
// which counts as nothing).
constexpr size_t kMaxRelays = 256;
// A helper waits for its connection, whose deadline is the shell's.
constexpr Duration kRelaySlack = std::chrono::milliseconds(20);
// Doubtful members are probed one after the other, at most so often.
constexpr Duration kDoubtfulSpacing = std::chrono::milliseconds(100);

}  // namespace

void Swim::tick(Instant now) {
  check_isolation(now);
  expire_suspicions(now);
  finish_relays(now);
  look_again(now);
  if (probe_ && (now >= probe_->end || (probe_->indirect_sent && !is_waiting()))) {
    finish_probe(now);
  }
  if (probe_ && !probe_->indirect_sent && now >= probe_->indirect_at) send_indirect(now);
  if (!probe_ && now >= free_probe()) start_probe(now);
  if (now >= next_reconnect_) reconnect_round(now);
  if (now >= next_seed_ || (live_.empty() && now + config_.reconnect_interval < next_seed_)) {
    seed_round(now);
  }
  if (!rumors_.empty() && !isolated_ && now >= next_gossip_) gossip_round(now);
}

void Swim::resume(Duration lateness, Instant now) {
  if (lateness <= config_.stall) return;
  ++counts_.stalls;
  quiet_until_ = now + config_.probe_interval;
  last_heard_ = std::min(now, last_heard_ + lateness);
  if (isolation_end_) *isolation_end_ = *isolation_end_ + lateness;
  for (const NodeId& id : suspects_) {
    Suspicion& suspicion = *find(id)->suspicion;
    suspicion.postpone(lateness, now);
    if (suspicions_.contains(id)) suspicions_.set(id, quiet_until_);
  }
  if (!probe_) return;
  probe_->indirect_at = probe_->indirect_at + lateness;
  probe_->end = probe_->end + lateness;
  next_probe_ = next_probe_ + lateness;
}

Instant Swim::next_deadline() const {
  Instant next = probe_ ? probe_deadline() : free_probe();
  if (!failed_.empty() || !suspects_.empty()) next = std::min(next, next_reconnect_);
  if (!seeds_.empty()) next = std::min(next, next_seed_);
  if (!rumors_.empty() && !live_.empty() && !isolated_) next = std::min(next, next_gossip_);
  if (leave_done_) next = std::min(next, *leave_done_);
  if (!isolated_) next = std::min(next, std::max(suspicions_.next(), quiet_until_));
  return std::min({next, isolation_deadline(), relays_end_.next(), watches_.next()});
}

Instant Swim::free_probe() const {
  return doubtful_.empty() ? next_probe_ : std::min(next_probe_, next_doubtful_);
}

Instant Swim::probe_deadline() const {
  // Once all have spoken it is over.
  return probe_->indirect_sent && is_waiting() ? probe_->end
                                               : std::min(probe_->end, probe_->indirect_at);
}

DropReason Swim::receive_ping(const Ping& ping, const HostPort& from) {
  if (!ping.target.empty() && ping.target != self_) return DropReason::kMisdirected;
  outgoing_.push_back({from, {Ack{ping.number}}});
  return DropReason::kNone;
}

void Swim::receive_ping_request(const PingRequest& request, const HostPort& from, Instant now) {
  if (relays_.size() >= kMaxRelays || request.target == self_) return;
  const uint32_t number = next_number_++;
  relays_[number] = {from, request.number, request.target, std::nullopt};
  relays_end_.set(number, now + config_.tcp_timeout + kRelaySlack);
  outgoing_.push_back({request.address, {Ping{number, request.target}}});
  start_tcp(request.target, request.address, number, Purpose::kRelay);
}

void Swim::receive_ack(const NodeId& from, const Ack& ack) {
  if (probe_ && probe_->number == ack.number) {
    probe_.reset();
    adjust_awareness(-1);
    return;
  }
  if (relays_.contains(ack.number)) return finish_relay(ack.number, Reach::kAnswers);
  const Member* looked_at = peek(from);
  if (looked_at != nullptr && looked_at->look == ack.number) find(from)->answered = true;
}

void Swim::receive_testimony(const NodeId& from, const Testimony& testimony) {
  if (!probe_ || probe_->number != testimony.number) return;
  if (std::erase(probe_->asked, from) == 0) return;
  if (testimony.reach == Reach::kRefused || testimony.reach == Reach::kSilent) {
    probe_->accusers.push_back(from);
  } else if (testimony.reach == Reach::kStalled) {
    probe_->stalled = true;
  }
}

// 0 when there are too many under way, or it is to a stranger, whom nothing can be sealed for.
uint64_t Swim::start_tcp(const NodeId& target, const HostPort& to, uint32_t number,
                         Purpose purpose) {
  const Member* member = peek(target);
  if (member == nullptr || tcp_.size() >= config_.max_tcp_probes) return 0;
  const uint64_t id = next_tcp_++;
  tcp_[id] = {target, number, purpose};
  TcpProbe probe{id, to, Ping{number, target}, {}};
  if (is_accused(*member) && !isolated_) probe.claims.push_back(claim_of(*member));
  tcp_outgoing_.push_back(std::move(probe));
  return id;
}

bool Swim::acks_tcp(uint64_t id, const NodeId& sender, const Ack& ack) const {
  const auto it = tcp_.find(id);
  return it != tcp_.end() && it->second.target == sender && it->second.number == ack.number;
}

// What follows is decided by the tick, which knows whether this node was there to listen.
void Swim::finish_tcp_probe(uint64_t id, Reach reach, Instant now) {
  const auto it = tcp_.find(id);
  if (it == tcp_.end()) return;
  const Connection connection = it->second;
  tcp_.erase(it);
  // A kernel that speaks is not heard of as a member, but this node is not cut off.
  if (reach != Reach::kSilent && reach != Reach::kUnknown) {
    last_heard_ = now;
    if (isolated_) end_isolation(now);
  }
  if (connection.purpose == Purpose::kProbe && reach == Reach::kSilent) {
    note_unreached(connection.target, now);
  }
  if (connection.purpose == Purpose::kLook) return finish_look(connection.target, reach, now);
  if (connection.purpose == Purpose::kRelay) {
    const auto asked = relays_.find(connection.number);
    if (asked == relays_.end()) return;
    if (reach == Reach::kAnswers) return finish_relay(connection.number, reach);
    asked->second.reach = reach;
    relays_end_.set(connection.number, now);
  } else if (probe_ && probe_->tcp == id) {
    probe_->reach = reach;
    if (reach != Reach::kAnswers) return;
    probe_.reset();
    adjust_awareness(-1);
  }
}

// Helpers may have reached it: then it is alive, and what it says is not heard here.
void Swim::note_unreached(const NodeId& id, Instant now) {
  if (!is_live(id)) return;
  find(id)->unreached = true;
  strained_until_ = now + config_.strain;
}

void Swim::finish_relay(uint32_t number, Reach reach) {
  const auto it = relays_.find(number);
  const uint32_t asked = it->second.asker_number;
  outgoing_.push_back({it->second.asker, {}});
  if (reach == Reach::kAnswers) {
    outgoing_.back().messages.emplace_back(Ack{asked});
  } else {
    outgoing_.back().messages.emplace_back(Testimony{asked, reach});
  }
  relays_.erase(it);
  relays_end_.erase(number);
}

void Swim::finish_relays(Instant now) {
  for (const uint32_t number : relays_end_.take_due(now)) {
    const Relay& relay = relays_.at(number);
    Reach reach = relay.reach.value_or(Reach::kUnknown);
    if (Member* target = find(relay.target); target != nullptr && reach == Reach::kStalled) {
      if (!note_stalled(*target, now)) reach = Reach::kSilent;
    }
    if (reach != Reach::kStalled && !may_judge(now)) reach = Reach::kUnknown;
    finish_relay(number, reach);
  }
}

NodeId Swim::take_doubtful() {
  while (!doubtful_.empty()) {
    auto it = doubtful_.upper_bound(doubtful_last_);
    if (it == doubtful_.end()) it = doubtful_.begin();
    doubtful_last_ = *it;
    doubtful_.erase(it);
    if (is_live(doubtful_last_)) return doubtful_last_;
  }
  return {};
}

// The next live one of a shuffled round over all members; empty when there is none.
NodeId Swim::take_in_order() {
  for (size_t tried = 0; tried < live_.size() + failed_.size() + 1; ++tried) {
    if (probe_next_ >= probe_order_.size()) {
      // A new round over those that still are members.
      probe_order_.clear();
      members_.each([this](const Member&, Slot slot) { probe_order_.push_back(slot); });
      for (size_t i = probe_order_.size(); i > 1; --i) {
        std::swap(probe_order_[i - 1], probe_order_[rng_.below(i)]);
      }
      probe_next_ = 0;
      if (probe_order_.empty()) return {};
    }
    const Member* member = members_.at(probe_order_[probe_next_++]);
    if (member != nullptr && is_live(member->info.id)) return member->info.id;
  }
  return {};
}

// Who is doubtful need not wait for a turn, nor do others lose theirs: who was cut off may believe
// in many that died meanwhile.
void Swim::start_probe(Instant now) {
  const int factor = 1 + awareness_;
  NodeId id;
  if (now >= next_probe_) {
    next_probe_ = now + probe_interval(config_, live_.size() + 1) * factor;
    id = take_in_order();
  } else {
    id = take_doubtful();
  }
  next_doubtful_ = now + kDoubtfulSpacing;
  if (id.empty()) return;
  const Member& target = *peek(id);
  probe_ = Probe{};
  probe_->target = id;
  probe_->number = next_number_++;
  probe_->indirect_at = now + config_.probe_timeout * factor;
  probe_->end = now + config_.probe_interval * factor;
  Outgoing out{target.info.address, {Ping{probe_->number, id}}};
  if (is_accused(target) && !isolated_) out.messages.push_back(claim_of(target));
  outgoing_.push_back(std::move(out));
}

// Helpers, and a connection of its own, at once.
void Swim::send_indirect(Instant now) {
  probe_->indirect_sent = true;
  const Member& target = *peek(probe_->target);
  const HostPort address = target.info.address;
  // Who is accused by enough others already is only looked at.
  const bool enough =
      target.suspicion && witnesses(target.suspicion->accusers()) >= needed(target, now);
  if (!enough) {
    for (const Member* helper : random_helpers(now)) {
      probe_->asked.push_back(helper->info.id);
      outgoing_.push_back(
          {helper->info.address, {PingRequest{probe_->number, probe_->target, address}}});
    }
  }
  probe_->helpers = probe_->asked.size();
  probe_->tcp = start_tcp(probe_->target, address, probe_->number, Purpose::kProbe);
}

// Of twice as many drawn, those in a state to help who were heard last: who is dead or starved has
// not been heard for a while.
std::vector<const Swim::Member*> Swim::random_helpers(Instant now) {
  std::vector<const Member*> helpers;
  for (const NodeId& id : random_live(2 * config_.helpers + 1)) {
    const Member& helper = *peek(id);
    if (id == probe_->target || is_accused(helper) || is_stalled(helper, now)) continue;
    if (!doubtful_.contains(id)) helpers.push_back(&helper);
  }
  std::stable_sort(helpers.begin(), helpers.end(),
                   [](const Member* a, const Member* b) { return a->heard > b->heard; });
  helpers.resize(std::min(helpers.size(), config_.helpers));
  return helpers;
}

// For a helper or its own connection.
bool Swim::is_waiting() const {
  return !probe_->asked.empty() || (probe_->tcp != 0 && !probe_->reach);
}

void Swim::finish_probe(Instant now) {
  const Probe probe = std::move(*probe_);
  probe_.reset();
  if (now < quiet_until_ || isolated_) return;
  // Those asked did not even say no: perhaps it is this node that is sick, or cut off.
  const size_t spoke = probe.helpers - probe.asked.size();
  if (2 * spoke < probe.helpers) adjust_awareness(1);
  if (probe.helpers > 0 && spoke == probe.helpers) adjust_awareness(-1);
  const Reach reach = probe.reach.value_or(Reach::kUnknown);
  if (probe.helpers > 0 && spoke == 0 && reach != Reach::kRefused) return;
  Member* target = find(probe.target);
  if (target == nullptr || !is_live(probe.target)) return;
  if (probe.stalled || reach == Reach::kStalled) {
    if (note_stalled(*target, now)) return watch(*target, now);
  } else if (reach == Reach::kUnknown) {
    return;
  }
  if (!may_judge(now)) return;
  Claim claim = claim_of(*target);
  claim.kind = ClaimKind::kSuspect;
  claim.accusers = probe.accusers;
  claim.accusers.insert(claim.accusers.begin(), self_);
  on_accusation(*target, claim, address_, false, now);
}

void Swim::adjust_awareness(int by) {
  awareness_ = std::clamp(awareness_ + by, 0, config_.awareness_max - 1);
}

}  // namespace shoal::gossip
