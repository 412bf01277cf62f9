// Swim's rounds: rumours, those who failed, seeds.
#include <algorithm>

#include "base/ports/sample.h"
#include "gossip/swim/swim.h"
#include "gossip/wire/hash.h"

namespace shoal::gossip {
namespace {

// Failed members pinged per round: a half of a large cluster that went away is asked for in slices.
constexpr size_t kMaxReconnects = 64;
// Seeds contacted per round.
constexpr size_t kSeedsPerRound = 3;

}  // namespace

void Swim::gossip_round(Instant now) {
  last_gossip_ = now;
  next_gossip_ = now + config_.gossip_interval;
  for (const NodeId& id : random_live(config_.fanout)) {
    outgoing_.push_back({peek(id)->info.address, {}});
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
    const Member& member = *peek(*it);
    remind(member);
  }
  reconnect_next_ = it == failed_.end() ? NodeId() : *it;
  // Suspects are told again, in case the first accusation was lost. Who is cut off asks them all,
  // as the one that is on its side may be any of them.
  auto suspect = suspects_.begin();
  if (isolated_ && !suspects_.empty()) {
    std::advance(suspect, static_cast<std::ptrdiff_t>(rng_.below(suspects_.size())));
  }
  for (size_t i = 0; i < suspects_.size(); ++i, ++suspect) {
    if (suspect == suspects_.end()) suspect = suspects_.begin();
    const bool mine = isolated_ || rng_.below(askers) < config_.reconnect_probers;
    if (!mine && now >= ask_all_until_) continue;
    if (++sent > kMaxReconnects) break;
    remind(*peek(*suspect));
  }
}

// Who is cut off itself only asks whether anybody is there. Who failed is called openly and would
// not believe a word; it is told when it answers.
void Swim::remind(const Member& member) {
  Outgoing out{member.info.address, {Ping{next_number_++, member.info.id}}};
  if (!isolated_ && member.suspicion) out.messages.push_back(claim_of(member));
  outgoing_.push_back(std::move(out));
}

void Swim::seed_round(Instant now) {
  next_seed_ = now + (live_.empty() ? config_.reconnect_interval : config_.seed_interval);
  std::vector<HostPort> candidates;
  for (const HostPort& seed : seeds_) {
    if (seed != address_ && live_at(seed).id.empty()) candidates.push_back(seed);
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
    picked.push_back(members_.at(live_[i])->info.id);
  }
  return picked;
}

// The lowest by a hash that is this node's own: another node remembers others, and who comes and
// goes changes little.
std::vector<HostPort> Swim::remembered(size_t count) const {
  std::vector<std::pair<uint64_t, const Member*>> order;
  order.reserve(live_.size());
  for (size_t i = 0; i < live_.size(); ++i) {
    const Member* member = members_.at(live_[i]);
    order.emplace_back(Hash().add(self_.str()).add(member->info.id.str()).value(), member);
  }
  const size_t kept = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end());
  std::vector<HostPort> addresses;
  for (size_t i = 0; i < kept; ++i) addresses.push_back(order[i].second->info.address);
  return addresses;
}

}  // namespace shoal::gossip
