// Swim's timed side: probes, rumour rounds, reconnection and seeds.
#include <algorithm>

#include "base/ports/sample.h"
#include "gossip/swim/swim.h"

namespace shoal::gossip {
namespace {

// Pings on behalf of others in flight; beyond it requests are not served (the asker hears nothing,
// which counts as nothing).
constexpr size_t kMaxRelays = 256;
// Failed members pinged per round: a half of a large cluster that went away is asked for in slices.
constexpr size_t kMaxReconnects = 64;
// Seeds contacted per round.
constexpr size_t kSeedsPerRound = 3;

}  // namespace

void Swim::tick(Instant now) {
  expire_suspicions(now);
  expire_relays(now);
  if (probe_ && now >= probe_->end) finish_probe(now);
  if (probe_ && !probe_->indirect_sent && now >= probe_->indirect_at) send_indirect();
  if (!probe_ && now >= next_probe_) start_probe(now);
  if (now >= next_reconnect_) reconnect_round(now);
  if (now >= next_seed_ || (live_.empty() && now + config_.reconnect_interval < next_seed_)) {
    seed_round(now);
  }
  if (!rumors_.empty() && now >= next_gossip_) gossip_round(now);
}

void Swim::resume(Duration lateness, Instant now) {
  if (lateness <= config_.stall) return;
  ++counts_.stalls;
  quiet_until_ = now + config_.probe_interval;
  for (const NodeId& id : suspects_) {
    Suspicion& suspicion = *find(id)->suspicion;
    suspicion.postpone(lateness);
    suspicions_.set(id, suspicion.deadline());
  }
  if (!probe_) return;
  probe_->indirect_at = probe_->indirect_at + lateness;
  probe_->end = probe_->end + lateness;
  next_probe_ = next_probe_ + lateness;
}

Instant Swim::next_deadline() const {
  Instant next = next_probe_;
  if (probe_) next = probe_deadline();
  if (!failed_.empty() || !suspects_.empty()) next = std::min(next, next_reconnect_);
  if (!seeds_.empty()) next = std::min(next, next_seed_);
  if (!rumors_.empty() && !live_.empty()) next = std::min(next, next_gossip_);
  if (leave_done_) next = std::min(next, *leave_done_);
  next = std::min(next, std::max(suspicions_.next(), quiet_until_));
  return std::min(next, relays_end_.next());
}

Instant Swim::probe_deadline() const {
  return probe_->indirect_sent ? probe_->end : std::min(probe_->end, probe_->indirect_at);
}

DropReason Swim::receive_ping(const Ping& ping, const HostPort& from) {
  if (!ping.target.empty() && ping.target != self_) return DropReason::kMisdirected;
  outgoing_.push_back({from, {Ack{ping.number}}});
  return DropReason::kNone;
}

void Swim::receive_ping_request(const PingRequest& request, const HostPort& from, Instant now) {
  if (relays_.size() >= kMaxRelays || request.target == self_) return;
  const uint32_t number = next_number_++;
  // The asker waits for the rest of its interval; a nack must still reach it.
  relays_[number] = {from, request.number};
  relays_end_.set(number, now + config_.probe_timeout * 4 / 5);
  outgoing_.push_back({request.address, {Ping{number, request.target}}});
}

void Swim::receive_ack(const Ack& ack) {
  if (probe_ && probe_->number == ack.number) {
    probe_.reset();
    adjust_awareness(-1);
    return;
  }
  const auto it = relays_.find(ack.number);
  if (it == relays_.end()) return;
  outgoing_.push_back({it->second.asker, {Ack{it->second.asker_number}}});
  relays_.erase(it);
  relays_end_.erase(ack.number);
}

void Swim::receive_nack(const Nack& nack) {
  if (probe_ && probe_->number == nack.number) ++probe_->nacks;
}

void Swim::expire_relays(Instant now) {
  for (const uint32_t number : relays_end_.take_due(now)) {
    const auto it = relays_.find(number);
    outgoing_.push_back({it->second.asker, {Nack{it->second.asker_number}}});
    relays_.erase(it);
  }
}

void Swim::start_probe(Instant now) {
  const int factor = 1 + awareness_;
  next_probe_ = now + config_.probe_interval * factor;
  for (size_t tried = 0; tried < live_.size() + failed_.size() + 1; ++tried) {
    if (probe_next_ >= probe_order_.size()) {
      // A new round over those that still are members.
      probe_order_.clear();
      for (const auto& [id, member] : members_) probe_order_.push_back(id);
      for (size_t i = probe_order_.size(); i > 1; --i) {
        std::swap(probe_order_[i - 1], probe_order_[rng_.below(i)]);
      }
      probe_next_ = 0;
      if (probe_order_.empty()) return;
    }
    const NodeId id = probe_order_[probe_next_++];
    if (!is_live(id)) continue;
    Member& target = *find(id);
    probe_ = Probe{id, next_number_++, now + config_.probe_timeout * factor, next_probe_};
    Outgoing out{target.info.address, {Ping{probe_->number, id}}};
    if (target.suspicion) out.messages.push_back(claim_of(target));
    outgoing_.push_back(std::move(out));
    return;
  }
}

void Swim::send_indirect() {
  probe_->indirect_sent = true;
  const HostPort address = find(probe_->target)->info.address;
  size_t asked = 0;
  for (const NodeId& id : random_live(config_.indirect_probes + 1)) {
    if (id == probe_->target || asked == config_.indirect_probes) continue;
    ++asked;
    outgoing_.push_back(
        {find(id)->info.address, {PingRequest{probe_->number, probe_->target, address}}});
  }
  probe_->nacks_expected = asked;
}

void Swim::finish_probe(Instant now) {
  const Probe probe = *probe_;
  probe_.reset();
  if (now < quiet_until_) return;
  // Nobody to ask, or those asked did not even say no: perhaps it is this node that is sick.
  if (probe.nacks_expected == 0) {
    adjust_awareness(1);
  } else if (probe.nacks < probe.nacks_expected) {
    adjust_awareness(static_cast<int>(probe.nacks_expected - probe.nacks));
  }
  Member* target = find(probe.target);
  if (target == nullptr || !is_live(probe.target)) return;
  Claim claim = claim_of(*target);
  claim.kind = ClaimKind::kSuspect;
  claim.from = self_;
  on_accusation(*target, claim, now);
}

void Swim::adjust_awareness(int by) {
  awareness_ = std::clamp(awareness_ + by, 0, config_.awareness_max - 1);
}

void Swim::gossip_round(Instant now) {
  last_gossip_ = now;
  next_gossip_ = now + config_.gossip_interval;
  for (const NodeId& id : random_live(config_.fanout)) {
    outgoing_.push_back({find(id)->info.address, {}});
  }
}

void Swim::reconnect_round(Instant now) {
  next_reconnect_ = now + config_.reconnect_interval;
  // Each failed member gets about reconnect_probers pings per interval, whatever the cluster's
  // size; where the last round was cut, this one goes on.
  const uint64_t askers = live_.size() + 1;
  auto it = failed_.lower_bound(reconnect_next_);
  size_t sent = 0;
  for (size_t i = 0; i < failed_.size() && sent < kMaxReconnects; ++i, ++it) {
    if (it == failed_.end()) it = failed_.begin();
    const bool mine = rng_.below(askers) < config_.reconnect_probers;
    if (!mine && now >= ask_all_until_) continue;
    ++sent;
    const Member& member = *find(*it);
    outgoing_.push_back({member.info.address, {Ping{next_number_++, *it}, claim_of(member)}});
  }
  reconnect_next_ = it == failed_.end() ? NodeId() : *it;
  // Suspects are told again, in case the first accusation was lost.
  for (const NodeId& id : suspects_) {
    if (rng_.below(askers) >= config_.reconnect_probers && now >= ask_all_until_) continue;
    if (++sent > kMaxReconnects) break;
    const Member& member = *find(id);
    outgoing_.push_back({member.info.address, {Ping{next_number_++, id}, claim_of(member)}});
  }
}

void Swim::seed_round(Instant now) {
  next_seed_ = now + (live_.empty() ? config_.reconnect_interval : config_.seed_interval);
  std::vector<HostPort> candidates;
  for (const HostPort& seed : seeds_) {
    const auto known = live_at_.lower_bound({seed, NodeId()});
    const bool is_live = known != live_at_.end() && known->first == seed;
    if (!is_live && seed != address_) candidates.push_back(seed);
  }
  for (size_t sent = 0; sent < kSeedsPerRound && !candidates.empty(); ++sent) {
    const size_t pick = rng_.below(candidates.size());
    outgoing_.push_back({candidates[pick], {Ping{next_number_++, NodeId()}}});
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(pick));
  }
}

void Swim::set_seeds(std::vector<HostPort> seeds, Instant now) {
  if (seeds.size() > kMaxSeeds) seeds.resize(kMaxSeeds);
  seeds_ = std::move(seeds);
  next_seed_ = now;
}

std::vector<NodeId> Swim::random_live(size_t count) {
  std::vector<NodeId> picked;
  for (const size_t i : sample_indices(rng_, live_.size(), count)) {
    picked.push_back(live_[i]->info.id);
  }
  return picked;
}

}  // namespace shoal::gossip
