// What every front door reads: lists and inspections, as plain values.
#pragma once

#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "manager/allocator/subnet_plan.h"
#include "manager/store/store.h"

namespace shoal::manager::control {

struct NetworkView {
  Network network;
  std::vector<Endpoint> endpoints;  // by name
  std::vector<SubnetUsage> usage;   // one per subnet of the network, in its order
};
struct EndpointView {
  Endpoint endpoint;
  Network network;
};

// Names are resolved as Store::find_* does; their errors are passed on.
std::vector<Network> list_networks(const Store& store);
Result<NetworkView> inspect_network(const Store& store, std::string_view network, WallTime now);
// `network` empty: all.
Result<std::vector<Endpoint>> list_endpoints(const Store& store, std::string_view network);
Result<EndpointView> inspect_endpoint(const Store& store, std::string_view network,
                                      std::string_view endpoint);
std::vector<Node> list_nodes(const Store& store);
// What the nodes told of their hosts, for create_network.
std::vector<HostRoute> host_routes(const Store& store);
// "self" is `self`.
Result<Node> inspect_node(const Store& store, std::string_view node, const NodeId& self);

}  // namespace shoal::manager::control
