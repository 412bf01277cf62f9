#include "gossip/table/tables.h"

#include <algorithm>

#include "gossip/wire/hash.h"

namespace shoal::gossip {
namespace {

// Milliseconds of wall clock leave the low bits for joins within one life: a million of them
// before the next millisecond's are touched.
constexpr int kEpochShift = 20;
// A hole that a peer was asked about is named again after this.
constexpr Duration kGapRetry = std::chrono::seconds(1);
// The directory entry that every node begins with.
constexpr const char* kNodeKey = "node";

Bytes encode_epoch(uint64_t epoch) {
  ByteWriter out;
  out.u64(epoch);
  return out.take();
}

}  // namespace

const NetworkId& Tables::directory() {
  static const NetworkId id(std::string(kIdLength, '0'));
  return id;
}

Tables::Tables(const TableConfig& config, const NodeId& self, uint64_t epoch)
    : config_(config), self_(self), next_epoch_(epoch << kEpochShift) {
  networks_[directory()].owners.emplace(self_, Held{Slot(next_epoch_++), true, 0});
  own_event(directory(), kNodeKey, false, {});
}

void Tables::join(const NetworkId& network) {
  if (joined(network)) return;
  const uint64_t epoch = next_epoch_++;
  networks_[network].owners.emplace(self_, Held{Slot(epoch), true, 0});
  own_event(directory(), network.str(), false, encode_epoch(epoch));
  for (const NodeId& peer : peers(network)) new_peers_.push_back({network, peer});
}

void Tables::leave(const NetworkId& network) {
  const auto it = networks_.find(network);
  if (it == networks_.end() || network == directory()) return;
  std::vector<std::string> keys;
  it->second.owners.at(self_).slot.for_each_live(
      [&](const std::string& key, const Slot::Entry&) { keys.push_back(key); });
  for (const std::string& key : keys) own_event(network, key, true, {});
  for (auto& [owner, held] : it->second.owners) {
    clear(network, owner, held);
    gaps_.erase({network, owner});
  }
  networks_.erase(it);
  own_event(directory(), network.str(), true, {});
}

Status Tables::upsert(const NetworkId& network, const std::string& key, Bytes value) {
  if (key.empty() || key.size() > kMaxKeySize) {
    return invalid_argument("a table key has 1 to " + std::to_string(kMaxKeySize) + " bytes, not " +
                            std::to_string(key.size()));
  }
  if (value.size() > kMaxValueSize) {
    return invalid_argument("a table value has at most " + std::to_string(kMaxValueSize) +
                            " bytes, not " + std::to_string(value.size()));
  }
  const auto it = networks_.find(network);
  if (it == networks_.end() || network == directory()) {
    return conflict("network " + network.str() + " is not joined: join it before announcing \"" +
                    key + "\"");
  }
  const Slot& slot = it->second.owners.at(self_).slot;
  const auto entry = slot.entries().find(key);
  if (entry == slot.entries().end() && slot.live() >= config_.max_entries_per_owner) {
    return resource_exhausted("this node already announces " + std::to_string(slot.live()) +
                              " entries in network " + network.str() + ", which is the most");
  }
  if (entry != slot.entries().end() && entry->second.value == value) return ok_status();
  own_event(network, key, false, std::move(value));
  return ok_status();
}

void Tables::remove(const NetworkId& network, const std::string& key) {
  const auto it = networks_.find(network);
  if (it == networks_.end() || network == directory()) return;
  if (!it->second.owners.at(self_).slot.entries().contains(key)) return;
  own_event(network, key, true, {});
}

void Tables::own_event(const NetworkId& network, const std::string& key, bool deleted,
                       Bytes value) {
  Held& held = networks_.at(network).owners.at(self_);
  EntryEvent event{network, self_, held.slot.epoch(), held.slot.complete() + 1,
                   deleted, key,   std::move(value)};
  const size_t before = held.slot.entries().size();
  held.slot.apply(event, {config_.max_entries_per_owner + 1, config_.max_ahead});
  settle(network, self_, held, before);
  if (deleted) {
    entry_gone(network, self_, held, key);
  } else {
    entry_appeared(network, self_, held, key, event.value);
  }
  own_events_.push_back(std::move(event));
}

std::optional<EntryEvent> Tables::join_event(const NetworkId& network) const {
  const Slot& slot = networks_.at(directory()).owners.at(self_).slot;
  const auto it = slot.entries().find(network.str());
  if (it == slot.entries().end() || it->second.deleted) return std::nullopt;
  return EntryEvent{directory(), self_,         slot.epoch(),    it->second.sequence,
                    false,       network.str(), it->second.value};
}

// Others hold something of this node that it never said: it lost its epoch (a restored disk, a
// clock set back). It takes a higher one and says everything again.
void Tables::refound(const NetworkId& network, uint64_t epoch, uint64_t sequence) {
  Held& held = networks_.at(network).owners.at(self_);
  if (epoch >= kMaxNumber) return;  // no higher one can be written
  if (epoch < held.slot.epoch() ||
      (epoch == held.slot.epoch() && sequence <= held.slot.complete())) {
    return;
  }
  const auto entries = held.slot.entries();
  const size_t before = entries.size();
  next_epoch_ = std::max(next_epoch_, epoch + 1);
  held.slot = Slot(next_epoch_++);
  settle(network, self_, held, before);
  for (const auto& [key, entry] : entries) {
    if (!entry.deleted) own_event(network, key, false, entry.value);
  }
}

Slot::Bounds Tables::bounds(const NodeId& owner) const {
  const bool full = total_ >= config_.max_entries || (presence(owner) == Presence::kUnknown &&
                                                      parked_ >= config_.max_parked_entries);
  return {full ? 0 : config_.max_entries_per_owner, config_.max_ahead};
}

// Where an event or summary of `epoch` belongs: the owner's slot, brought to that epoch. Null when
// it is outdated or there is no room.
Tables::Held* Tables::held_for(const NetworkId& id, const NodeId& owner, uint64_t epoch,
                               Instant now) {
  const auto it = networks_.find(id);
  if (it == networks_.end() || epoch < joining_epoch(id, owner)) return nullptr;
  auto& owners = it->second.owners;
  auto held = owners.find(owner);
  if (held == owners.end()) {
    if (owners.size() >= kMaxMembers) {
      ++counts_.refused;
      return nullptr;
    }
    held = owners.emplace(owner, Held{Slot(epoch), false, 0}).first;
    held->second.shown = should_show(id, owner);
    if (presence(owner) == Presence::kUnknown) {
      parked_in_[owner].insert(id);
      parked_until_.add(owner, now + config_.parked_for);
    }
  }
  if (epoch < held->second.slot.epoch()) return nullptr;
  if (epoch > held->second.slot.epoch()) restart(id, owner, held->second, epoch);
  return &held->second;
}

bool Tables::receive(const EntryEvent& event, Instant now) {
  if (!joined(event.network)) return false;
  if (event.owner == self_) {
    refound(event.network, event.epoch, event.sequence);
    return false;
  }
  Held* held = held_for(event.network, event.owner, event.epoch, now);
  if (held == nullptr) return false;
  Slot& slot = held->slot;
  const size_t before = slot.entries().size();
  const auto known = slot.entries().find(event.key);
  const bool was_live = known != slot.entries().end() && !known->second.deleted;
  const Slot::Outcome outcome = slot.apply(event, bounds(event.owner));
  settle(event.network, event.owner, *held, before);
  if (slot.has_gap()) gaps_.add({event.network, event.owner}, now + config_.gap_grace);
  if (outcome == Slot::Outcome::kApplied) {
    if (!event.deleted) {
      entry_appeared(event.network, event.owner, *held, event.key, event.value);
    } else if (was_live) {
      entry_gone(event.network, event.owner, *held, event.key);
    }
  }
  if (outcome == Slot::Outcome::kTooFar || outcome == Slot::Outcome::kTooMany) {
    ++counts_.refused;
  }
  return outcome == Slot::Outcome::kApplied || outcome == Slot::Outcome::kNoted;
}

void Tables::receive(const Summary& summary, bool cut, Instant now) {
  if (summary.owner == self_) return;
  Held* held = held_for(summary.network, summary.owner, summary.epoch, now);
  if (held == nullptr) return;
  const size_t before = held->slot.entries().size();
  const std::vector<std::string> removed = held->slot.apply(summary, cut);
  settle(summary.network, summary.owner, *held, before);
  for (const std::string& key : removed) {
    entry_gone(summary.network, summary.owner, *held, key);
  }
}

// Bookkeeping after any change of a slot: counts, digest, gaps.
void Tables::settle(const NetworkId& id, const NodeId& owner, Held& held, size_t entries_before) {
  const size_t after = held.slot.entries().size();
  total_ = total_ - entries_before + after;
  const bool parked = presence(owner) == Presence::kUnknown;
  if (parked) parked_ = parked_ - entries_before + after;
  uint64_t share = 0;
  if (!parked && (held.slot.complete() != 0 || held.slot.live() != 0)) {
    share = Hash()
                .add(owner.str())
                .add(held.slot.epoch())
                .add(held.slot.complete())
                .add(held.slot.live_hash())
                .value();
  }
  networks_.at(id).hash ^= held.share ^ share;
  held.share = share;
  if (!held.slot.has_gap()) gaps_.erase({id, owner});
}

void Tables::clear(const NetworkId& id, const NodeId& owner, Held& held) {
  const size_t before = held.slot.entries().size();
  const auto entries = held.slot.entries();
  held.slot = Slot(held.slot.epoch());
  settle(id, owner, held, before);
  for (const auto& [key, entry] : entries) {
    if (!entry.deleted) entry_gone(id, owner, held, key);
  }
}

void Tables::restart(const NetworkId& id, const NodeId& owner, Held& held, uint64_t epoch) {
  clear(id, owner, held);
  held.slot = Slot(epoch);
}

void Tables::drop(const NetworkId& network, const NodeId& owner) {
  const auto it = networks_.find(network);
  if (it == networks_.end()) return;
  const auto held = it->second.owners.find(owner);
  if (held == it->second.owners.end()) return;
  clear(network, owner, held->second);
  gaps_.erase({network, owner});
  it->second.owners.erase(owner);
}

void Tables::expire_parked(Instant now) {
  for (const NodeId& owner : parked_until_.take_due(now)) {
    for (const NetworkId& network : parked_in_.at(owner)) drop(network, owner);
    parked_in_.erase(owner);
  }
}

std::vector<Tables::Peer> Tables::overdue_gaps(Instant now) {
  std::vector<Peer> overdue;
  for (const auto& [network, owner] : gaps_.take_due(now)) {
    gaps_.set({network, owner}, now + kGapRetry);
    overdue.push_back({network, owner});
  }
  return overdue;
}

}  // namespace shoal::gossip
