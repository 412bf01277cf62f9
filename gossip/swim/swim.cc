#include "gossip/swim/swim.h"

#include <algorithm>
#include <cmath>

#include "gossip/wire/hash.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;

constexpr Duration kAskAllWindow = std::chrono::seconds(5);
// News wait at most this long for company before a round of their own.
constexpr Duration kGossipSpacing = milliseconds(20);

ClaimKind kind_of(MemberState state) { return static_cast<ClaimKind>(state); }

bool live(MemberState state) {
  return state == MemberState::kAlive || state == MemberState::kSuspect;
}

}  // namespace

std::string_view to_string(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kFailed:
      return "failed";
    case MemberState::kLeft:
      return "left";
  }
  return "unknown";
}

Swim::Swim(const SwimConfig& config, const NodeId& self, const HostPort& address,
           uint64_t incarnation, Rng& rng, Instant now)
    : config_(config),
      self_(self),
      address_(address),
      incarnation_(incarnation),
      rng_(rng),
      // A random phase, so that a cluster started at once does not probe in step.
      next_probe_(now + Duration(static_cast<int64_t>(
                            rng.below(static_cast<uint64_t>(config.probe_interval.count()))))),
      last_heard_(now),
      next_number_(static_cast<uint32_t>(rng.next())),
      next_seed_(now),
      next_gossip_(now),
      next_reconnect_(now) {
  digests_.buckets[bucket_of(self_)] ^=
      Hash().add(self_.str()).add(incarnation_).add(uint64_t{1}).value();
}

DropReason Swim::hear(const Head& head, const HostPort& from, Instant now) {
  if (head.sender == self_) return DropReason::kSelf;
  if (forgotten_.contains(head.sender)) return DropReason::kForgotten;
  last_heard_ = now;
  if (isolated_) end_isolation(now);
  const Claim claim{ClaimKind::kAlive, head.sender, head.incarnation, head.address, {}};
  Member* member = find(head.sender);
  if (member == nullptr) {
    if (members_.size() >= kMaxMembers) return DropReason::kMembersFull;
    spread(claim);
    add_member(claim, MemberState::kAlive).heard = now;
    return DropReason::kNone;
  }
  if (std::exchange(member->unreached, false)) reached_.push_back(head.sender);
  on_alive(*member, claim, now);
  if (head.incarnation == member->incarnation) note_heard(*member, now);
  if (member->info.state != MemberState::kAlive || member->stalled) accuse(*member, from, now);
  return DropReason::kNone;
}

void Swim::receive_claim(const Claim& claim, const HostPort& reply_to, bool news, Instant now) {
  if (claim.id == self_) {
    refute(claim, reply_to);
    return;
  }
  if (forgotten_.contains(claim.id)) return;
  Member* member = find(claim.id);
  if (member == nullptr) {
    if (members_.size() >= kMaxMembers) return;
    spread(claim);
    const bool doubtful = claim.kind == ClaimKind::kSuspect || claim.kind == ClaimKind::kStalled;
    Member& added =
        add_member(claim, doubtful ? MemberState::kAlive : static_cast<MemberState>(claim.kind));
    if (!doubtful) return;
    member = &added;
  }
  switch (claim.kind) {
    case ClaimKind::kAlive:
      on_alive(*member, claim, now);
      break;
    case ClaimKind::kSuspect:
    case ClaimKind::kFailed:
      on_accusation(*member, claim, reply_to, news, now);
      break;
    case ClaimKind::kLeft:
      on_left(*member, claim);
      break;
    case ClaimKind::kStalled:
      on_stalled(*member, claim, reply_to, news, now);
      break;
  }
}

void Swim::learn(const Claim& claim, const HostPort& reply_to, Instant now) {
  const bool known = is_known(claim.id);
  receive_claim(claim, reply_to, false, now);
  if (!known) rumors_.drop(claim.id);
}

void Swim::on_alive(Member& member, const Claim& claim, Instant now) {
  if (claim.incarnation <= member.incarnation) return;
  const bool was_live = live(member.info.state);
  const bool moved = member.info.address != claim.address;
  const bool started = epoch_of(claim.incarnation) != epoch_of(member.incarnation);
  end_suspicion(member);
  renew(member, claim);
  spread(claim);
  if (member.info.state != MemberState::kAlive || moved) {
    set_state(member, MemberState::kAlive, !was_live);
    changes_.back().started = started;
  }
  rehash(member);
  if (!was_live) on_return(now);
}

// A later incarnation: what was said of the one before is over.
void Swim::renew(Member& member, const Claim& claim) {
  member.incarnation = claim.incarnation;
  move(member, claim.address);
  end_stall(member);
}

// A failed one came back: the network may have healed, so the other failed ones are asked now. If
// most were failed here, or nobody answered lately, it was this node's side that was cut, and the
// others hold it for alive or will soon: only this node asks for them, so for a while it asks for
// all.
void Swim::on_return(Instant now) {
  const bool was_cut = failed_.size() >= live_.size() || awareness_ == config_.awareness_max - 1;
  if (was_cut) ask_all_until_ = now + kAskAllWindow;
  if (now - last_burst_ < config_.reconnect_interval / 5) return;
  last_burst_ = now;
  next_reconnect_ = now;
}

void Swim::on_left(Member& member, const Claim& claim) {
  if (claim.incarnation < member.incarnation || member.info.state == MemberState::kLeft) return;
  member.incarnation = claim.incarnation;
  end_suspicion(member);
  spread(claim);
  set_state(member, MemberState::kLeft, false);
  rehash(member);
}

void Swim::refute(const Claim& claim, const HostPort& reply_to) {
  const bool accused = claim.kind != ClaimKind::kAlive;
  if (leave_done_) return;
  // Beyond the last number nothing can be said: what nobody could read would silence this node.
  if (claim.incarnation >= kMaxNumber) return;
  if (accused ? claim.incarnation < incarnation_
              : claim.incarnation < incarnation_ ||
                    (claim.incarnation == incarnation_ && claim.address == address_)) {
    return;
  }
  uint64_t& bucket = digests_.buckets[bucket_of(self_)];
  bucket ^= Hash().add(self_.str()).add(incarnation_).add(uint64_t{1}).value();
  incarnation_ = claim.incarnation + 1;
  bucket ^= Hash().add(self_.str()).add(incarnation_).add(uint64_t{1}).value();
  if (accused) {
    ++counts_.refutations;
    if (claim.kind != ClaimKind::kFailed) adjust_awareness(1);
  }
  spread(own_claim());
  outgoing_.push_back({reply_to, {own_claim()}});
}

void Swim::forget(const NodeId& id) {
  if (id == self_ || !forgotten_.insert(id).second) return;
  forgotten_order_.push_back(id);
  if (forgotten_order_.size() > kMaxForgotten) {
    forgotten_.erase(forgotten_order_.front());
    forgotten_order_.erase(forgotten_order_.begin());
  }
  rumors_.drop(id);
  Member* known = find(id);
  if (known == nullptr) return;
  Member& member = *known;
  end_suspicion(member);
  end_stall(member);
  if (member.info.state != MemberState::kLeft) set_state(member, MemberState::kLeft, false);
  digests_.buckets[bucket_of(id)] ^= member.hash;
  if (probe_ && probe_->target == id) probe_.reset();
  doubtful_.erase(id);
  members_.erase(id);
}

void Swim::restore(std::span<const Claim> members) {
  for (const Claim& claim : members) {
    if (claim.id == self_ || is_known(claim.id)) continue;
    Member& member = members_.add(claim.id);
    member.info = {claim.id, claim.address, MemberState::kLeft};
    member.incarnation = claim.incarnation;
    set_state(member, MemberState::kAlive, true);
    rehash(member);
  }
}

void Swim::restore(const Swim& image) {
  SHOAL_CHECK(image.live_.size() == image.members_.size() && image.suspects_.empty(),
              "an image holds all for alive");
  members_ = image.members_;
  live_ = image.live_;
  if (const Slot slot = members_.slot_of(self_); slot != kNoSlot) {
    live_.erase_in_order(slot, members_.at(slot)->info.address);
    members_.erase(self_);
  }
  members_.each([this](const Member& member, Slot) {
    digests_.buckets[bucket_of(member.info.id)] ^= member.hash;
    changes_.push_back({member.info, true});
  });
}

void Swim::leave(Instant now) {
  if (leave_done_) return;
  leave_done_ = now + config_.leave_linger;
  spread(own_claim());
  for (const NodeId& id : random_live(kMaxSeeds)) {
    outgoing_.push_back({peek(id)->info.address, {own_claim()}});
  }
}

Claim Swim::own_claim() const {
  return {leave_done_ ? ClaimKind::kLeft : ClaimKind::kAlive, self_, incarnation_, address_, {}};
}

Claim Swim::claim_of(const Member& member) const {
  Claim claim{
      kind_of(member.info.state), member.info.id, member.incarnation, member.info.address, {}};
  if (member.suspicion) claim.accusers = member.suspicion->accusers();
  if (claim.kind == ClaimKind::kFailed) claim.accusers = member.verdict;
  if (claim.kind == ClaimKind::kAlive && member.stalled) claim.kind = ClaimKind::kStalled;
  return claim;
}

void Swim::spread(const Claim& claim) {
  rumors_.put(claim);
  next_gossip_ = std::min(next_gossip_, last_gossip_ + kGossipSpacing);
}

Swim::Member& Swim::add_member(const Claim& claim, MemberState state) {
  Member& member = members_.add(claim.id);
  member.info = {claim.id, claim.address, MemberState::kLeft};
  member.incarnation = claim.incarnation;
  if (state == MemberState::kFailed) member.verdict = claim.accusers;
  // A random place in this round: the new one is probed soon, and not by all at once.
  const size_t rest = probe_order_.size() - probe_next_;
  const auto at = static_cast<std::ptrdiff_t>(probe_next_ + rng_.below(rest + 1));
  probe_order_.insert(probe_order_.begin() + at, members_.slot_of(claim.id));
  set_state(member, state, live(state));
  rehash(member);
  return member;
}

void Swim::set_state(Member& member, MemberState state, bool returned) {
  const NodeId& id = member.info.id;
  const bool was_live = live(member.info.state);
  member.info.state = state;
  if (live(state) && !was_live) {
    live_.add(members_.slot_of(id), member.info.address);
  } else if (!live(state) && was_live) {
    live_.erase(members_.slot_of(id), member.info.address);
  }
  state == MemberState::kFailed ? void(failed_.insert(id)) : void(failed_.erase(id));
  state == MemberState::kSuspect ? void(suspects_.insert(id)) : void(suspects_.erase(id));
  if (state != MemberState::kFailed) member.verdict.clear();
  changes_.push_back({member.info, returned, false});
}

void Swim::move(Member& member, const HostPort& address) {
  if (live(member.info.state) && member.info.address != address) {
    live_.move(members_.slot_of(member.info.id), member.info.address, address);
  }
  member.info.address = address;
}

bool Swim::piggyback(Packer& packer, const HostPort& to) {
  if (isolated_) return false;
  bool alive = false;
  bool suspect = false;
  live_.each_at(to, [&](Slot slot) {
    const MemberInfo& there = members_.at(slot)->info;
    if (there.address == to) (there.state == MemberState::kSuspect ? suspect : alive) = true;
    return false;
  });
  // A suspect is told too, but that may be in vain.
  if (alive || suspect) rumors_.fill(packer, retransmit_limit(), alive);
  return alive || suspect;
}

void Swim::rehash(Member& member) {
  // A suspect counts as alive: a suspicion is an opinion, not a difference to repair.
  const auto kind = live(member.info.state) ? MemberState::kAlive : member.info.state;
  const uint64_t hash = Hash()
                            .add(member.info.id.str())
                            .add(member.incarnation)
                            .add(static_cast<uint64_t>(kind))
                            .value();
  digests_.buckets[bucket_of(member.info.id)] ^= member.hash ^ hash;
  member.hash = hash;
}

size_t Swim::bucket_of(const NodeId& id) { return Hash().add(id.view()).value() % kMemberBuckets; }

uint64_t Swim::digest() const {
  Hash hash;
  for (const uint64_t bucket : digests_.buckets) hash.add(bucket);
  return hash.value();
}

std::vector<Claim> Swim::claims_in(const MemberDifference& difference) const {
  const auto marked = [&](const NodeId& id) {
    const size_t bucket = bucket_of(id);
    return (difference.buckets[bucket / 8] >> (bucket % 8) & 1) != 0;
  };
  std::vector<Claim> claims;
  if (marked(self_)) claims.push_back(own_claim());
  members_.each([&](const Member& member, Slot) {
    if (marked(member.info.id)) claims.push_back(claim_of(member));
  });
  return claims;
}

bool Swim::is_live(const NodeId& id) const {
  const Member* member = peek(id);
  return member != nullptr && live(member->info.state);
}

std::optional<HostPort> Swim::address_of(const NodeId& id) const {
  const Member* member = peek(id);
  if (member == nullptr) return std::nullopt;
  return member->info.address;
}

Peer Swim::peer(const NodeId& id) const {
  const Member* member = peek(id);
  if (member == nullptr) return {};
  return {id, epoch_of(member->incarnation)};
}

Peer Swim::live_at(const HostPort& address) const {
  Peer latest;
  live_.each_at(address, [&](Slot slot) {
    const Member& member = *members_.at(slot);
    if (member.info.address != address) return false;
    const Peer there{member.info.id, epoch_of(member.incarnation)};
    const auto order = there.epoch <=> latest.epoch;
    if (latest.id.empty() || order > 0 || (order == 0 && there.id < latest.id)) latest = there;
    return false;
  });
  return latest;
}

std::optional<Claim> Swim::correction(const Head& said) const {
  const Member* member = peek(said.sender);
  if (member == nullptr || member->incarnation <= said.incarnation) return std::nullopt;
  return claim_of(*member);
}

std::vector<MemberInfo> Swim::members() const {
  std::vector<MemberInfo> all;
  all.reserve(members_.size());
  members_.each([&all](const Member& member, Slot) { all.push_back(member.info); });
  std::ranges::sort(all, {}, &MemberInfo::id);
  return all;
}

size_t Swim::retransmit_limit() const {
  const double nodes = static_cast<double>(live_.size() + 2);
  return config_.retransmit_factor * static_cast<size_t>(std::ceil(std::log10(nodes)));
}

}  // namespace shoal::gossip
