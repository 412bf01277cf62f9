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

bool Tables::should_show(const NetworkId& network, const NodeId& owner) const {
  if (presence(owner) != Presence::kPresent) return false;
  if (network == directory() || owner == self_) return true;
  const auto it = joined_by_.find(network);
  return it != joined_by_.end() && it->second.contains(owner);
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
    directory_changed(owner, key, true);
  } else if (held.shown) {
    events_.push_back({false, id, key, owner, value});
  }
}

void Tables::entry_gone(const NetworkId& id, const NodeId& owner, const Held& held,
                        const std::string& key) {
  if (id == directory()) {
    directory_changed(owner, key, false);
  } else if (held.shown) {
    events_.push_back({true, id, key, owner, {}});
  }
}

void Tables::directory_changed(const NodeId& owner, const std::string& key, bool joined) {
  if (!is_id(key)) return;  // authentic, but not something this version understands
  const NetworkId network(key);
  if (joined) {
    joined_by_[network].insert(owner);
  } else {
    const auto it = joined_by_.find(network);
    if (it != joined_by_.end()) {
      it->second.erase(owner);
      if (it->second.empty()) joined_by_.erase(it);
    }
  }
  if (owner == self_) return;
  refresh_shown(network, owner);
  if (joined && this->joined(network) && presence(owner) == Presence::kPresent) {
    new_peers_.push_back({network, owner});
  }
}

void Tables::set_present(const NodeId& owner, bool present) {
  if (owner == self_) return;
  if (presence(owner) == Presence::kUnknown) {
    for (const auto& [id, network] : networks_) {
      const auto held = network.owners.find(owner);
      if (held != network.owners.end()) parked_ -= held->second.slot.entries().size();
    }
  }
  const bool was_present = presence(owner) == Presence::kPresent;
  present_[owner] = present;
  if (was_present == present) return;
  for (const auto& [id, network] : networks_) {
    refresh_shown(id, owner);
    const auto joined_by = joined_by_.find(id);
    if (present && joined_by != joined_by_.end() && joined_by->second.contains(owner)) {
      new_peers_.push_back({id, owner});
    }
  }
}

void Tables::forget(const NodeId& owner) {
  if (owner == self_) return;
  for (auto& [id, network] : networks_) {
    const auto held = network.owners.find(owner);
    if (held == network.owners.end()) continue;
    clear(id, owner, held->second);
    gaps_.erase({id, owner});
    network.owners.erase(owner);
  }
  present_.erase(owner);
}

std::vector<NetworkId> Tables::networks() const {
  std::vector<NetworkId> all;
  for (const auto& [id, network] : networks_) all.push_back(id);
  return all;
}

std::vector<NodeId> Tables::peers(const NetworkId& network) const {
  std::vector<NodeId> all;
  const auto it = joined_by_.find(network);
  if (it == joined_by_.end()) return all;
  for (const NodeId& node : it->second) {
    if (node != self_ && presence(node) == Presence::kPresent) all.push_back(node);
  }
  return all;
}

}  // namespace shoal::gossip
