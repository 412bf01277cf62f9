// Anti-entropy: digests, and what follows from comparing them.
#include <algorithm>

#include "base/types/check.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {
namespace {

// Bytes of an event or summary on the wire beside key, value and list: ids and numbers, at most.
constexpr size_t kEventOverhead = 90;

}  // namespace

uint64_t Tables::digest(const NetworkId& network) const {
  const auto it = networks_.find(network);
  return it == networks_.end() ? 0 : it->second.hash;
}

NetworkState Tables::state(const NetworkId& network) const {
  NetworkState state;
  state.network = network;
  const auto it = networks_.find(network);
  if (it == networks_.end()) return state;
  for (const auto& [owner, held] : it->second.owners) {
    if (held.share == 0) continue;
    state.owners.push_back({owner, held.slot.epoch(), held.slot.complete(), held.slot.live_hash()});
  }
  return state;
}

Tables::Difference Tables::compare(const NetworkState& theirs, size_t& budget) {
  Difference out;
  const auto it = networks_.find(theirs.network);
  if (it == networks_.end()) return out;
  std::map<NodeId, const OwnerDigest*> by_owner;
  for (const OwnerDigest& digest : theirs.owners) {
    if (digest.owner == self_) refound(theirs.network, digest.epoch, digest.complete);
    by_owner[digest.owner] = &digest;
  }
  for (const auto& [owner, held] : it->second.owners) {
    if (held.share == 0) continue;
    const auto found = by_owner.find(owner);
    const OwnerDigest none{owner, 0, 0, 0};
    const OwnerDigest& their = found == by_owner.end() ? none : *found->second;
    const OwnerDigest our{owner, held.slot.epoch(), held.slot.complete(), held.slot.live_hash()};
    if (found != by_owner.end()) by_owner.erase(found);
    if (our == their) continue;
    if (our.epoch >= their.epoch) {
      const uint64_t since = our.epoch == their.epoch ? their.complete : 0;
      collect(theirs.network, owner, held.slot, since, budget, out);
    }
    if (owner != self_ &&
        (their.epoch > our.epoch || (their.epoch == our.epoch && their.complete >= our.complete))) {
      out.wanted.push_back(our);
    }
  }
  for (const auto& [owner, digest] : by_owner) {
    if (owner != self_) out.wanted.push_back({owner, 0, 0, 0});
  }
  return out;
}

Tables::Difference Tables::serve(const NetworkState& wanted, size_t& budget) {
  Difference out;
  const auto it = networks_.find(wanted.network);
  if (it == networks_.end()) return out;
  for (const OwnerDigest& their : wanted.owners) {
    const auto held = it->second.owners.find(their.owner);
    if (held == it->second.owners.end() || held->second.slot.epoch() < their.epoch) continue;
    const uint64_t since = held->second.slot.epoch() == their.epoch ? their.complete : 0;
    collect(wanted.network, their.owner, held->second.slot, since, budget, out);
  }
  return out;
}

// Events after `since` in rising order, then the summary up to where they are whole.
void Tables::collect(const NetworkId& network, const NodeId& owner, const Slot& slot,
                     uint64_t since, size_t& budget, Difference& out) const {
  std::vector<std::pair<uint64_t, const std::string*>> newer;
  Summary summary{network, owner, slot.epoch(), slot.complete(), {}};
  for (const auto& [key, entry] : slot.entries()) {
    if (entry.sequence > since) newer.emplace_back(entry.sequence, &key);
    if (!entry.deleted) summary.live.push_back(entry.sequence);
  }
  std::sort(newer.begin(), newer.end());
  for (size_t i = 0; i < newer.size(); ++i) {
    const std::string& key = *newer[i].second;
    const Slot::Entry& entry = slot.entries().at(key);
    const size_t cost = kEventOverhead + key.size() + entry.value.size();
    if (cost > budget) {
      budget = 0;
      out.cut = true;
      if (i == 0) return;
      summary.through = std::min(summary.through, newer[i - 1].first);
      break;
    }
    budget -= cost;
    out.messages.push_back(
        EntryEvent{network, owner, slot.epoch(), entry.sequence, entry.deleted, key, entry.value});
  }
  if (summary.through == 0) return;
  std::sort(summary.live.begin(), summary.live.end());
  summary.live.erase(std::upper_bound(summary.live.begin(), summary.live.end(), summary.through),
                     summary.live.end());
  // A list is never cut; what it takes beyond the budget is small against a frame's bound.
  const size_t cost = kEventOverhead + summary.live.size() * 2;
  budget -= std::min(budget, cost);
  out.messages.push_back(std::move(summary));
}

}  // namespace shoal::gossip
