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
  const auto joining = it->second.find(owner);
  return joining == it->second.end() ? 0 : joining->second;
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
  peers_.erase(network);
  if (epoch) {
    joined_by_[network][owner] = *epoch;
  } else {
    const auto it = joined_by_.find(network);
    if (it != joined_by_.end()) {
      it->second.erase(owner);
      if (it->second.empty()) joined_by_.erase(it);
    }
  }
  if (owner == self_) return;
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
  if (presence(owner) == Presence::kUnknown) {
    for (const auto& [id, network] : networks_) {
      const auto held = network.owners.find(owner);
      if (held != network.owners.end()) parked_ -= held->second.slot.entries().size();
    }
  }
  const bool was_present = presence(owner) == Presence::kPresent;
  present_[owner] = present;
  if (was_present == present) return;
  peers_.clear();
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
  peers_.clear();
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
  const auto [known, fresh] = peers_.try_emplace(network);
  std::vector<NodeId>& all = known->second;
  if (!fresh) return all;
  const auto it = joined_by_.find(network);
  if (it == joined_by_.end()) return all;
  for (const auto& [node, epoch] : it->second) {
    if (node != self_ && presence(node) == Presence::kPresent) all.push_back(node);
  }
  return all;
}

}  // namespace shoal::gossip
