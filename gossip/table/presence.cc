// What of the tables is shown: presence of owners, the directory, events.
#include <algorithm>

#include "base/ports/sample.h"
#include "base/types/check.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {
namespace {

using merkle::Item;
using merkle::Path;
using merkle::Prefix;

Prefix range_of(const NetworkId& network) {
  return Prefix::of({merkle::hash_of(network.view(), 3), 0}, 64);
}
Path joiner_place(const NetworkId& network, const NodeId& node) {
  return {range_of(network).path.high, merkle::hash_of(node.view(), 1)};
}
std::string joiner_id(const NetworkId& network, const NodeId& node) {
  return network.str() + node.str();
}
NodeId joiner_of(const Item& item) { return NodeId(item.id().substr(kIdLength)); }

// The other parts of an item follow from its id and flags.
Item marked_item(merkle::Pool& pool, const Path& path, std::string_view id, uint64_t epoch,
                 bool marked) {
  return {path, epoch, 1, pool.blob(id, {}, marked ? merkle::kMarked : 0)};
}

}  // namespace

Tables::Presence Tables::presence(const NodeId& owner) const {
  if (owner == self_) return Presence::kPresent;
  const Item* member = members_.find(merkle::OwnedMap::head_place(owner.view()), owner.view());
  if (member == nullptr) return Presence::kUnknown;
  return member->marked() ? Presence::kPresent : Presence::kAbsent;
}

// Zero when it has not joined.
uint64_t Tables::joining_epoch(const NetworkId& network, const NodeId& owner) const {
  if (network == directory()) return 0;
  const Item* joining = joiners_.find(joiner_place(network, owner), joiner_id(network, owner));
  return joining == nullptr ? 0 : joining->epoch;
}

bool Tables::should_show(const NetworkId& network, const NodeId& owner) const {
  if (network == directory()) return false;  // it is nobody's but ours
  if (owner == self_) return true;
  return presence(owner) == Presence::kPresent &&
         joiners_.find(joiner_place(network, owner), joiner_id(network, owner)) != nullptr;
}

void Tables::show_all(const NetworkId& network, const NodeId& owner, bool show) {
  const auto it = networks_.find(network);
  if (it == networks_.end()) return;
  it->second.map.each(owner.view(), [&](const Item& item) {
    if (item.marked()) return;
    const ByteView value = item.blob->value();
    events_.push_back({!show, network, std::string(item.id().substr(kIdLength)), owner,
                       show ? Bytes(value.begin(), value.end()) : Bytes()});
  });
}

void Tables::entry_appeared(const NetworkId& id, const NodeId& owner, const std::string& key,
                            const Bytes& value) {
  if (id == directory()) {
    directory_changed(owner, key, ByteReader(value).u64());
  } else if (should_show(id, owner)) {
    events_.push_back({false, id, key, owner, value});
  }
}

void Tables::entry_gone(const NetworkId& id, const NodeId& owner, std::string_view key) {
  if (id == directory()) {
    directory_changed(owner, key, std::nullopt);
  } else if (should_show(id, owner)) {
    events_.push_back({true, id, std::string(key), owner, {}});
  }
}

void Tables::directory_changed(const NodeId& owner, std::string_view key,
                               std::optional<uint64_t> epoch) {
  if (!is_id(key)) return;  // "node", or what a newer version says
  const NetworkId network(key);
  if (network == directory()) return;  // everybody is in it
  const bool present = owner != self_ && presence(owner) == Presence::kPresent;
  const Path place = joiner_place(network, owner);
  const std::string id = joiner_id(network, owner);
  if (!epoch) {
    if (should_show(network, owner) && owner != self_) show_all(network, owner, false);
    joiners_.erase(place, id);
    return;
  }
  const bool was_shown = should_show(network, owner);
  const auto it = networks_.find(network);
  if (owner != self_ && it != networks_.end()) {
    const merkle::Knowledge held = it->second.map.knowledge(owner.view());
    if (held.known && held.epoch < *epoch) drop(network, owner);
  }
  joiners_.put(marked_item(*pool_, place, id, *epoch, present));
  if (owner == self_ || !present) return;
  if (!was_shown) show_all(network, owner, true);
  new_peers_.push_back({network, owner});
}

void Tables::set_present(const NodeId& owner, bool present) {
  if (owner == self_) return;
  const bool was_present = presence(owner) == Presence::kPresent;
  const Path place = merkle::OwnedMap::head_place(owner.view());
  unpark(owner);
  forgotten_.erase(owner);
  members_.put(marked_item(*pool_, place, owner.view(), 0, present));
  if (was_present == present) return;
  for (const NetworkId& network : networks_of(owner)) {
    mark_peer(network, owner, present);
    show_all(network, owner, present);
    if (present && joined(network)) new_peers_.push_back({network, owner});
  }
}

// The copies of maps cost nothing: the trees are there once.
void Tables::restore(const Tables& image) {
  for (auto& [id, network] : networks_) {
    const auto known = image.networks_.find(id);
    SHOAL_CHECK(known != image.networks_.end(), "an image is in all networks");
    merkle::OwnedMap map = known->second.map;
    map.forget(image.self_.view());
    SHOAL_CHECK(map.contents(self_.view(), 0) == network.map.contents(self_.view(), 0),
                "an image has heard all of this node");
    const Counting counting(*this, network.map, false);
    network.map = std::move(map);
  }
  members_ = image.members_;
  members_.erase(merkle::OwnedMap::head_place(self_.view()), self_.view());
  joiners_ = image.joiners_;
  for (const auto& [id, network] : image.networks_) {
    joiners_.erase(joiner_place(id, image.self_), joiner_id(id, image.self_));
  }
  for (const auto& [id, network] : networks_) {
    if (id == directory()) continue;
    mark_peer(id, self_, false);
    std::vector<NodeId> owners = peers(id);
    std::ranges::sort(owners);
    for (const NodeId& owner : owners) show_all(id, owner, true);
  }
}

// As its directory entries say; the directory itself is not among them.
std::vector<NetworkId> Tables::networks_of(const NodeId& owner) const {
  std::vector<NetworkId> networks;
  networks_.at(directory()).map.each(owner.view(), [&](const Item& item) {
    const std::string_view key = item.id().substr(kIdLength);
    if (!item.marked() && is_id(key) && key != directory().view()) networks.emplace_back(key);
  });
  std::ranges::sort(networks);
  return networks;
}

std::vector<NetworkId> Tables::shared_with(const NodeId& node) const {
  std::vector<NetworkId> shared = networks_of(node);
  std::erase_if(shared, [this](const NetworkId& network) { return !joined(network); });
  shared.insert(shared.begin(), directory());
  return shared;
}

void Tables::mark_peer(const NetworkId& network, const NodeId& owner, bool present) {
  const uint64_t epoch = joining_epoch(network, owner);
  joiners_.put(
      marked_item(*pool_, joiner_place(network, owner), joiner_id(network, owner), epoch, present));
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

std::vector<NodeId> Tables::peers(const NetworkId& network) const {
  std::vector<NodeId> present;
  joiners_.each(range_of(network), [&](const Item& item) {
    if (item.marked()) present.push_back(joiner_of(item));
  });
  return present;
}

size_t Tables::peer_count(const NetworkId& network) const {
  return joiners_.below(range_of(network)).marked;
}

std::vector<NodeId> Tables::sample_peers(const NetworkId& network, size_t count, Rng& rng) const {
  const Prefix range = range_of(network);
  std::vector<NodeId> picked;
  for (const size_t i : sample_indices(rng, peer_count(network), count)) {
    picked.push_back(joiner_of(joiners_.nth_marked(range, static_cast<uint32_t>(i))));
  }
  return picked;
}

}  // namespace shoal::gossip
