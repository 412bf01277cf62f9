#include "manager/control/queries.h"

namespace shoal::manager::control {
namespace {

template <typename T>
std::vector<T> values(const std::vector<const T*>& pointers) {
  std::vector<T> result;
  result.reserve(pointers.size());
  for (const T* pointer : pointers) result.push_back(*pointer);
  return result;
}

}  // namespace

std::vector<Network> list_networks(const Store& store) { return values(store.networks()); }

Result<NetworkView> inspect_network(const Store& store, std::string_view network, WallTime now) {
  const Network* found = SHOAL_TRY(store.find_network(network));
  return NetworkView{*found, values(store.endpoints_of(found->id)), store.usage(found->id, now)};
}

Result<std::vector<Endpoint>> list_endpoints(const Store& store, std::string_view network) {
  if (network.empty()) return values(store.endpoints());
  const Network* found = SHOAL_TRY(store.find_network(network));
  return values(store.endpoints_of(found->id));
}

Result<EndpointView> inspect_endpoint(const Store& store, std::string_view network,
                                      std::string_view endpoint) {
  NetworkId id;
  if (!network.empty()) id = SHOAL_TRY(store.find_network(network))->id;
  const Endpoint* found = SHOAL_TRY(store.find_endpoint(id, endpoint));
  return EndpointView{*found, *store.network(found->network_id)};
}

std::vector<Node> list_nodes(const Store& store) { return values(store.nodes()); }

std::vector<HostRoute> host_routes(const Store& store) {
  std::vector<HostRoute> result;
  for (const Node* node : store.nodes()) {
    for (const Prefix& route : node->description.host_routes) {
      result.push_back({route, store.node_name(node->id)});
    }
  }
  return result;
}

Result<Node> inspect_node(const Store& store, std::string_view node, const NodeId& self) {
  if (node != "self") return *SHOAL_TRY(store.find_node(node));
  const Node* found = store.node(self);
  if (found == nullptr) return not_found("no such node: " + self.str());
  return *found;
}

}  // namespace shoal::manager::control
