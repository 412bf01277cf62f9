// How objects become indexes. Everything here is told what was decided; nothing is refused but
// loaded objects that contradict one another.
#include <algorithm>

#include "base/types/check.h"
#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {
namespace {

Error does_not_fit(const std::string& what) {
  return data_loss("the stored state is damaged: " + what +
                   "; restore this manager's state, or remove the node and let it join again");
}

}  // namespace

void Store::commit(const Change& change) {
  std::visit([&](const auto& object) { change.removed ? erase(object) : put(object); },
             change.object);
}

Store::NetworkState& Store::state_of(const NetworkId& id) {
  const auto it = network_index_.find(id);
  SHOAL_CHECK(it != network_index_.end(), "what belongs to a network comes after it");
  return *it->second;
}

void Store::put(const Cluster& cluster) {
  // May be many; one change either appends to them or takes some away.
  if (cluster.removed_nodes.size() < removed_nodes_.size()) removed_nodes_.clear();
  for (size_t i = removed_nodes_.size(); i < cluster.removed_nodes.size(); ++i) {
    removed_nodes_.insert(cluster.removed_nodes[i].id);
  }
  cluster_ = cluster;
  vni_drawn_at_ = cluster.version;
}

void Store::erase(const Cluster& /*cluster*/) { SHOAL_CHECK(false, "a cluster is never removed"); }

void Store::put(const Network& network) {
  const auto [it, added] = networks_.try_emplace(network.id, network);
  SHOAL_CHECK(added, "a network is made once");
  network_index_.emplace(network.id, &it->second);
  network_names_.emplace(network.spec.name, network.id);
  for (const Subnet& subnet : network.subnets) subnets_.add(subnet.prefix, network.spec.name);
  vnis_.take(network.vni, network.spec.name);
  if (network.spec.ingress) ingress_ = network.id;
  const auto requested = requested_vni(network.spec);
  const bool drawn = requested && !*requested;
  if (drawn && network.version > vni_drawn_at_ && cluster_) {
    cluster_->next_vni = VniPool::after(network.vni);
    vni_drawn_at_ = network.version;
  }
}

void Store::erase(const Network& network) {
  network_names_.erase(network.spec.name);
  for (const Subnet& subnet : network.subnets) subnets_.remove(subnet.prefix);
  vnis_.release(network.vni);
  if (network.spec.ingress) ingress_ = NetworkId();
  network_index_.erase(network.id);
  networks_.erase(network.id);
}

void Store::put(const Endpoint& endpoint) {
  const auto [it, added] = endpoints_.emplace(endpoint.id, endpoint);
  SHOAL_CHECK(added, "an endpoint is made once");
  NetworkState& state = state_of(endpoint.network_id);
  for (const Prefix& address : endpoint.addresses) state.addresses.take(address.ip, &it->second);
  state.endpoints.emplace(endpoint.spec.name, &it->second);
  state.folded_names.emplace(folded(endpoint.spec.name), &it->second);
  state.macs.insert(endpoint.mac);
  endpoint_names_.emplace(endpoint.spec.name, endpoint.id);
  endpoints_by_node_[endpoint.node_id].insert(endpoint.id);
}

void Store::erase(const Endpoint& endpoint) {
  NetworkState& state = state_of(endpoint.network_id);
  for (const Prefix& address : endpoint.addresses) state.addresses.release(address.ip);
  state.endpoints.erase(endpoint.spec.name);
  const auto [first, last] = state.folded_names.equal_range(folded(endpoint.spec.name));
  state.folded_names.erase(
      std::find_if(first, last, [&](const auto& item) { return item.second->id == endpoint.id; }));
  state.macs.erase(endpoint.mac);
  endpoint_names_.erase({endpoint.spec.name, endpoint.id});
  const auto of_node = endpoints_by_node_.find(endpoint.node_id);
  of_node->second.erase(endpoint.id);
  if (of_node->second.empty()) endpoints_by_node_.erase(of_node);
  endpoints_.erase(endpoint.id);
}

void Store::put(const Node& node) {
  const auto before = nodes_.find(node.id);
  if (before != nodes_.end()) erase(Node(before->second));
  nodes_.emplace(node.id, node);
  hostnames_.emplace(node.description.hostname, node.id);
  if (node.raft_id != 0) raft_ids_.emplace(node.raft_id, node.id);
  if (node.spec.role == Role::kManager) ++managers_;
}

void Store::erase(const Node& node) {
  hostnames_.erase({node.description.hostname, node.id});
  if (node.raft_id != 0) raft_ids_.erase(node.raft_id);
  if (node.spec.role == Role::kManager) --managers_;
  nodes_.erase(node.id);
}

void Store::put(const Quarantined& quarantined) {
  state_of(quarantined.network_id).addresses.quarantine(quarantined.address, quarantined.until);
  resting_.emplace(quarantined.until, quarantined.network_id, quarantined.address);
}

void Store::erase(const Quarantined& quarantined) {
  state_of(quarantined.network_id).addresses.expire(quarantined.address);
  resting_.erase({quarantined.until, quarantined.network_id, quarantined.address});
}

void Store::put(const AddressCursor& cursor) {
  state_of(cursor.network_id).addresses.set_cursor(cursor.subnet, cursor.next);
}

// A cursor goes with its network, whose removal follows.
void Store::erase(const AddressCursor& /*cursor*/) {}

Status Store::check_loaded(const Object& object) const {
  struct Checker {
    const Store& store;

    Status operator()(const Cluster&) const {
      return store.cluster_ ? Status(does_not_fit("there are two clusters")) : ok_status();
    }
    Status operator()(const Node& node) const {
      const bool fits = !store.nodes_.contains(node.id) &&
                        (node.raft_id == 0 || !store.raft_ids_.contains(node.raft_id));
      return fits ? ok_status() : Status(does_not_fit("node " + node.id.str() + " is there twice"));
    }
    Status operator()(const Network& network) const {
      bool fits = !store.networks_.contains(network.id) &&
                  !store.network_names_.contains(network.spec.name) &&
                  store.vnis_.check(network.vni).ok() &&
                  !(network.spec.ingress && !store.ingress_.empty());
      for (size_t i = 0; i < network.subnets.size(); ++i) {
        const Prefix& prefix = network.subnets[i].prefix;
        fits = fits && prefix == prefix.network() && store.subnets_.overlapping(prefix) == nullptr;
        for (size_t j = 0; j < i; ++j) fits = fits && !network.subnets[j].prefix.overlaps(prefix);
      }
      return fits ? ok_status()
                  : Status(does_not_fit("network " + network.id.str() +
                                        " contradicts another or itself"));
    }
    Status operator()(const Endpoint& endpoint) const {
      const std::string name = "endpoint " + endpoint.id.str();
      const auto it = store.networks_.find(endpoint.network_id);
      if (it == store.networks_.end()) return does_not_fit(name + " has no network");
      const NetworkState& state = it->second;
      bool fits = !store.endpoints_.contains(endpoint.id) &&
                  !state.endpoints.contains(endpoint.spec.name) &&
                  !state.macs.contains(endpoint.mac) && endpoint.addresses.size() <= 2;
      for (const Prefix& address : endpoint.addresses) {
        fits = fits && state.addresses.can_be_given(address.ip) &&
               state.addresses.holder(address.ip) == nullptr &&
               !state.addresses.quarantined_until(address.ip);
      }
      if (endpoint.addresses.size() == 2) {
        fits = fits && endpoint.addresses[0].ip != endpoint.addresses[1].ip;
      }
      return fits ? ok_status() : Status(does_not_fit(name + " contradicts another"));
    }
    Status operator()(const Quarantined& quarantined) const {
      const std::string name = "quarantined address " + quarantined.address.str();
      const auto it = store.networks_.find(quarantined.network_id);
      if (it == store.networks_.end()) return does_not_fit(name + " has no network");
      const AddressSpace& addresses = it->second.addresses;
      const bool fits = addresses.can_be_given(quarantined.address) &&
                        addresses.holder(quarantined.address) == nullptr &&
                        !addresses.quarantined_until(quarantined.address);
      return fits ? ok_status() : Status(does_not_fit(name + " contradicts an endpoint"));
    }
    Status operator()(const AddressCursor& cursor) const {
      const auto it = store.networks_.find(cursor.network_id);
      const bool fits =
          it != store.networks_.end() &&
          std::any_of(it->second.network.subnets.begin(), it->second.network.subnets.end(),
                      [&](const Subnet& subnet) { return subnet.prefix == cursor.subnet; });
      return fits ? ok_status()
                  : Status(does_not_fit("the cursor of " + cursor.subnet.str() + " has no subnet"));
    }
    Status operator()(const HandledRequest& handled) const {
      const bool fits = !store.handled_by_id_.contains(handled.id) &&
                        !store.handled_.contains(handled.index) &&
                        store.handled_.size() < kHandledRequests;
      return fits ? ok_status()
                  : Status(does_not_fit("request " + handled.id + " contradicts another"));
    }
  };
  return std::visit(Checker{*this}, object);
}

}  // namespace shoal::manager
