// What of the tables is shown: presence of owners, the directory, events.
#include "base/types/check.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {

Tables::Presence Tables::presence(const NodeId& owner) const {
  if (owner == self_) return Presence::kPresent;
  const auto it = present_.find(owner);
  if (it == present_.end()) return Presence::kUnknown;
  return it->second ? Presence::kPresent : Presence::kAbsent;
}

uint64_t Tables::joining_epoch(const NetworkId& network, const NodeId& owner) const {
  const auto it = joined_by_.find(network);
  if (it == joined_by_.end()) return 0;
  const auto joining = it->second.epochs.find(owner);
  return joining == it->second.epochs.end() ? 0 : joining->second;
}

bool Tables::should_show(const NetworkId& network, const NodeId& owner) const {
  if (presence(owner) != Presence::kPresent) return false;
  if (network == directory() || owner == self_) return true;
  const auto it = joined_by_.find(network);
  return it != joined_by_.end() && it->second.epochs.contains(owner);
}

void Tables::refresh_shown(const NetworkId& network, const NodeId& owner) {
  const auto it = networks_.find(network);
  if (it == networks_.end()) return;
  const auto held = it->second.owners.find(owner);
  if (held == it->second.owners.end()) return;
  const bool show = should_show(network, owner);
  if (held->second.shown == show) return;
  held->second.shown = show;
  if (network == directory()) return;  // its index does not depend on presence
  held->second.slot.for_each_live([&](const std::string& key, const Slot::Entry& entry) {
    events_.push_back({!show, network, key, owner, show ? entry.value : Bytes()});
  });
}

void Tables::entry_appeared(const NetworkId& id, const NodeId& owner, const Held& held,
                            const std::string& key, const Bytes& value) {
  if (id == directory()) {
    directory_changed(owner, key, ByteReader(value).u64());
  } else if (held.shown) {
    events_.push_back({false, id, key, owner, value});
  }
}

void Tables::entry_gone(const NetworkId& id, const NodeId& owner, const Held& held,
                        const std::string& key) {
  if (id == directory()) {
    directory_changed(owner, key, std::nullopt);
  } else if (held.shown) {
    events_.push_back({true, id, key, owner, {}});
  }
}

void Tables::directory_changed(const NodeId& owner, const std::string& key,
                               std::optional<uint64_t> epoch) {
  if (!is_id(key)) return;  // "node", or what a newer version says
  const NetworkId network(key);
  if (network == directory()) return;  // everybody is in it
  if (epoch) {
    joined_by_[network].epochs[owner] = *epoch;
  } else {
    const auto it = joined_by_.find(network);
    if (it != joined_by_.end()) {
      it->second.epochs.erase(owner);
      it->second.present.erase(owner);
      if (it->second.epochs.empty()) joined_by_.erase(it);
    }
  }
  if (owner == self_) return;
  refresh_peer(network, owner);
  const auto joined_network = networks_.find(network);
  if (joined_network == networks_.end()) return;
  const auto held = joined_network->second.owners.find(owner);
  if (epoch && held != joined_network->second.owners.end() && held->second.slot.epoch() < *epoch) {
    restart(network, owner, held->second, *epoch);
  }
  refresh_shown(network, owner);
  if (epoch && presence(owner) == Presence::kPresent) new_peers_.push_back({network, owner});
}

void Tables::set_present(const NodeId& owner, bool present) {
  if (owner == self_) return;
  const bool was_present = presence(owner) == Presence::kPresent;
  const auto parked = parked_in_.extract(owner);
  parked_until_.erase(owner);
  present_[owner] = present;
  if (!parked.empty()) {
    for (const NetworkId& id : parked.mapped()) {
      const auto network = networks_.find(id);
      if (network == networks_.end()) continue;  // left meanwhile
      const auto held = network->second.owners.find(owner);
      if (held == network->second.owners.end()) continue;  // and joined again
      const size_t entries = held->second.slot.entries().size();
      parked_ -= entries;
      settle(id, owner, held->second, entries);  // now it counts in digests
    }
  }
  if (was_present == present) return;
  refresh_shown(directory(), owner);
  for (const NetworkId& network : networks_of(owner)) {
    refresh_peer(network, owner);
    refresh_shown(network, owner);
    if (present && joined(network)) new_peers_.push_back({network, owner});
  }
}

// As its directory entries say; the directory itself is not among them.
std::vector<NetworkId> Tables::networks_of(const NodeId& owner) const {
  std::vector<NetworkId> networks;
  const auto& owners = networks_.at(directory()).owners;
  const auto held = owners.find(owner);
  if (held == owners.end()) return networks;
  held->second.slot.for_each_live([&](const std::string& key, const Slot::Entry&) {
    if (is_id(key) && key != directory().str()) networks.emplace_back(key);
  });
  return networks;
}

void Tables::refresh_peer(const NetworkId& network, const NodeId& owner) {
  const auto it = joined_by_.find(network);
  if (it == joined_by_.end()) return;
  if (presence(owner) == Presence::kPresent && it->second.epochs.contains(owner)) {
    it->second.present.add(owner);
  } else {
    it->second.present.erase(owner);
  }
}

void Tables::forget(const NodeId& owner) {
  if (owner == self_) return;
  for (const auto& [id, network] : networks_) drop(id, owner);
  parked_in_.erase(owner);
  parked_until_.erase(owner);
  present_.erase(owner);
}

std::vector<Tables::Event> Tables::take_events() {
  using Name = std::tuple<const NetworkId&, const std::string&, const NodeId&>;
  std::vector<Event> events = std::exchange(events_, {});
  std::map<Name, size_t> last;
  std::vector<bool> dropped(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    const auto [it, first] = last.try_emplace({event.network, event.key, event.owner}, i);
    if (!first && events[it->second].removed && !event.removed) dropped[it->second] = true;
    it->second = i;
  }
  std::vector<Event> kept;
  kept.reserve(events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    if (!dropped[i]) kept.push_back(std::move(events[i]));
  }
  return kept;
}

std::vector<NetworkId> Tables::networks() const {
  std::vector<NetworkId> all;
  for (const auto& [id, network] : networks_) all.push_back(id);
  return all;
}

const std::vector<NodeId>& Tables::peers(const NetworkId& network) const {
  static const std::vector<NodeId> nobody;
  const auto it = joined_by_.find(network);
  return it == joined_by_.end() ? nobody : it->second.present.all();
}

std::vector<NodeId> Tables::sample_peers(const NetworkId& network, size_t count, Rng& rng) const {
  const auto it = joined_by_.find(network);
  return it == joined_by_.end() ? std::vector<NodeId>() : it->second.present.sample(count, rng);
}

}  // namespace shoal::gossip
