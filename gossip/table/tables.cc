#include "gossip/table/tables.h"

#include <algorithm>

#include "base/types/check.h"

namespace shoal::gossip {
namespace {

using merkle::Item;
using merkle::OwnedMap;

// Milliseconds of wall clock leave the low bits for joins within one life: a million of them
// before the next millisecond's are touched.
constexpr int kEpochShift = 20;
// A hole that a peer was asked about is named again after this.
constexpr Duration kGapRetry = std::chrono::seconds(1);
// Nodes removed from the cluster whose entries are refused; there are as many members at most.
constexpr size_t kMaxForgotten = kMaxMembers;
// The directory entry that every node begins with.
constexpr const char* kNodeKey = "node";

Bytes encode_epoch(uint64_t epoch) {
  ByteWriter out;
  out.u64(epoch);
  return out.take();
}

Bytes value_of(const Item& item) {
  const ByteView value = item.blob->value();
  return Bytes(value.begin(), value.end());
}

}  // namespace

const NetworkId& Tables::directory() {
  static const NetworkId id(std::string(kIdLength, '0'));
  return id;
}

Tables::Tables(const TableConfig& config, const NodeId& self, uint64_t epoch)
    : config_(config),
      self_(self),
      next_epoch_(epoch << kEpochShift),
      own_pool_(config.pool == nullptr ? std::make_unique<merkle::Pool>() : nullptr),
      pool_(config.pool == nullptr ? own_pool_.get() : config.pool),
      members_(*pool_),
      joiners_(*pool_) {
  networks_.emplace(directory(), Network{new_map(), next_epoch_++});
  own_event(directory(), kNodeKey, false, {});
}

// The bound of all entries is over all maps, so it is not the map's.
OwnedMap Tables::new_map() const {
  return OwnedMap(*pool_, kIdLength, {.items = SIZE_MAX, .ahead = config_.max_ahead});
}

void Tables::join(const NetworkId& network) {
  if (joined(network)) return;
  const uint64_t epoch = next_epoch_++;
  networks_.emplace(network, Network{new_map(), epoch});
  own_event(directory(), network.str(), false, encode_epoch(epoch));
  for (const NodeId& peer : peers(network)) new_peers_.push_back({network, peer});
}

void Tables::leave(const NetworkId& network) {
  const auto it = networks_.find(network);
  if (it == networks_.end() || network == directory()) return;
  std::vector<std::string> keys;
  it->second.map.each(self_.view(),
                      [&](const Item& item) { keys.emplace_back(item.id().substr(kIdLength)); });
  for (const std::string& key : keys) own_event(network, key, true, {});
  for (OwnedMap* map : {&it->second.map, map_of(network, NodeId())}) {
    if (map == nullptr) continue;
    std::set<NodeId> owners;
    map->map().each({}, [&](const Item& item) { owners.emplace(map->owner_of(item)); });
    for (const NodeId& owner : owners) drop(network, owner);
  }
  parked_.erase(network);
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
  const OwnedMap& map = it->second.map;
  const Item* entry = map.find(self_.view(), key);
  const size_t held = map.entries(self_.view());
  if (entry == nullptr && held >= config_.max_entries_per_owner) {
    return resource_exhausted("this node already announces " + std::to_string(held) +
                              " entries in network " + network.str() + ", which is the most");
  }
  if (entry != nullptr && value_of(*entry) == value) return ok_status();
  own_event(network, key, false, std::move(value));
  return ok_status();
}

void Tables::remove(const NetworkId& network, const std::string& key) {
  const auto it = networks_.find(network);
  if (it == networks_.end() || network == directory()) return;
  if (it->second.map.find(self_.view(), key) == nullptr) return;
  own_event(network, key, true, {});
}

// All events of this node are known to itself, so it has no tombstones.
void Tables::own_event(const NetworkId& network, const std::string& key, bool deleted,
                       Bytes value) {
  Network& held = networks_.at(network);
  const uint64_t last = held.map.knowledge(self_.view()).complete;
  EntryEvent event{network, self_, held.own_epoch, last + 1, deleted, key, std::move(value)};
  {
    const Counting counting(*this, held.map, false);
    held.map.apply({self_.str(), event.epoch, event.sequence, deleted, false, key, event.value});
  }
  if (deleted) {
    entry_gone(network, self_, key);
  } else {
    entry_appeared(network, self_, key, event.value);
  }
  own_events_.push_back(std::move(event));
}

std::optional<EntryEvent> Tables::join_event(const NetworkId& network) const {
  const OwnedMap& map = networks_.at(directory()).map;
  const Item* joining = map.find(self_.view(), network.view());
  if (joining == nullptr) return std::nullopt;
  return EntryEvent{directory(), self_,         joining->epoch,    joining->stamp,
                    false,       network.str(), value_of(*joining)};
}

// Others hold something of this node that it never said: it lost its epoch (a restored disk, a
// clock set back). It takes a higher one and says everything again.
void Tables::refound(const NetworkId& network, uint64_t epoch, uint64_t sequence) {
  Network& held = networks_.at(network);
  if (epoch >= kMaxNumber) return;  // no higher one can be written
  const uint64_t last = held.map.knowledge(self_.view()).complete;
  if (epoch < held.own_epoch || (epoch == held.own_epoch && sequence <= last)) return;
  std::map<std::string, Bytes> entries;
  held.map.each(self_.view(), [&](const Item& item) {
    entries.emplace(item.id().substr(kIdLength), value_of(item));
  });
  next_epoch_ = std::max(next_epoch_, epoch + 1);
  held.own_epoch = next_epoch_++;
  {
    const Counting counting(*this, held.map, false);
    held.map.forget(self_.view());
  }
  for (auto& [key, value] : entries) own_event(network, key, false, std::move(value));
}

// Whether what others say of an owner in this epoch is of use. Of this node they say nothing new.
bool Tables::takes(const NetworkId& network, const NodeId& owner, uint64_t epoch) const {
  return owner != self_ && epoch >= joining_epoch(network, owner) && !forgotten_.contains(owner);
}

OwnedMap* Tables::map_of(const NetworkId& network, const NodeId& owner) {
  if (presence(owner) == Presence::kUnknown) {
    const auto it = parked_.find(network);
    return it == parked_.end() ? nullptr : &it->second;
  }
  const auto it = networks_.find(network);
  return it == networks_.end() ? nullptr : &it->second.map;
}

bool Tables::receive(const EntryEvent& event, Instant now) {
  if (!joined(event.network)) return false;
  if (event.owner == self_) {
    refound(event.network, event.epoch, event.sequence);
    return false;
  }
  if (!takes(event.network, event.owner, event.epoch)) return false;
  const OwnedMap::Outcome outcome = take(event.network, event.owner,
                                         {event.owner.str(), event.epoch, event.sequence,
                                          event.deleted, false, event.key, event.value},
                                         false, now);
  return outcome == OwnedMap::Outcome::kApplied || outcome == OwnedMap::Outcome::kNoted;
}

// The entry is of another node, and takes().
OwnedMap::Outcome Tables::take(const NetworkId& network, const NodeId& owner,
                               const merkle::Entry& entry, bool of_session, Instant now) {
  const bool parked = presence(owner) == Presence::kUnknown;
  if (parked) parked_.try_emplace(network, new_map());
  OwnedMap& map = *map_of(network, owner);
  const merkle::Knowledge known = map.knowledge(entry.owner);
  if (!known.known && map.heads() >= kMaxMembers) {
    ++counts_.refused;
    return OwnedMap::Outcome::kRefused;
  }
  if (!known.known && parked) {
    parked_in_[owner].insert(network);
    parked_until_.add(owner, now + config_.parked_for);
  }
  if (known.known && entry.epoch > known.epoch) {
    restart(network, owner, {entry.owner, entry.epoch, 0});
  }
  const Item* old = map.find(entry.owner, entry.key);
  const bool was_live = old != nullptr && !old->marked();
  const bool full =
      total_ >= config_.max_entries || (parked && parked_entries_ >= config_.max_parked_entries);
  OwnedMap::Outcome outcome;
  {
    const Counting counting(*this, map, parked);
    outcome = map.apply(entry, {full ? 0 : config_.max_entries_per_owner, of_session});
  }
  watch_gap(network, owner, map, now);
  if (outcome == OwnedMap::Outcome::kRefused) ++counts_.refused;
  if (outcome == OwnedMap::Outcome::kApplied && !parked) {
    if (!entry.deleted) {
      entry_appeared(network, owner, entry.key, entry.value);
    } else if (was_live) {
      entry_gone(network, owner, entry.key);
    }
  }
  return outcome;
}

void Tables::watch_gap(const NetworkId& id, const NodeId& owner, const OwnedMap& map, Instant now) {
  if (map.has_gap(owner.view())) {
    gaps_.add({id, owner}, now + config_.gap_grace);
  } else {
    gaps_.erase({id, owner});
  }
}

// The owner began anew: what is held of lower epochs goes.
void Tables::restart(const NetworkId& id, const NodeId& owner, const merkle::Head& head) {
  drop(id, owner);
  map_of(id, owner)->raise(head);
}

void Tables::drop(const NetworkId& network, const NodeId& owner) {
  OwnedMap* map = map_of(network, owner);
  if (map == nullptr || !map->knowledge(owner.view()).known) return;
  const bool parked = presence(owner) == Presence::kUnknown;
  std::vector<std::string> gone;
  map->each(owner.view(), [&](const Item& item) {
    if (!parked && !item.marked()) gone.emplace_back(item.id().substr(kIdLength));
  });
  {
    const Counting counting(*this, *map, parked);
    map->forget(owner.view());
  }
  gaps_.erase({network, owner});
  for (const std::string& key : gone) entry_gone(network, owner, key);
}

void Tables::unpark(const NodeId& owner) {
  const auto parked = parked_in_.extract(owner);
  parked_until_.erase(owner);
  if (parked.empty()) return;
  for (const NetworkId& id : parked.mapped()) {
    const auto from = parked_.find(id);
    const auto network = networks_.find(id);
    if (from == parked_.end() || network == networks_.end()) continue;  // left meanwhile
    {
      const Counting less(*this, from->second, true), more(*this, network->second.map, false);
      network->second.map.take(from->second, owner.view());
    }
    if (from->second.map().empty()) parked_.erase(from);
  }
}

void Tables::expire_parked(Instant now) {
  for (const NodeId& owner : parked_until_.take_due(now)) {
    for (const NetworkId& network : parked_in_.at(owner)) drop(network, owner);
    parked_in_.erase(owner);
  }
}

void Tables::forget(const NodeId& owner) {
  if (owner == self_) return;
  for (const NetworkId& network : networks()) drop(network, owner);
  parked_in_.erase(owner);
  parked_until_.erase(owner);
  members_.erase(OwnedMap::head_place(owner.view()), owner.view());
  if (forgotten_.size() < kMaxForgotten) forgotten_.insert(owner);
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
