#include "manager/dispatcher/wire.h"

#include "manager/wire/common_wire.h"

namespace shoal::manager::wire {
namespace {

void put(dispatch::ManagerMessage& out, const Registered& message) {
  out.mutable_registered()->set_session_id(message.session_id);
  out.mutable_registered()->set_heartbeat_period_ms(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(message.heartbeat_period).count()));
}

void put(dispatch::ManagerMessage& out, const ClusterInfo& message) {
  auto& info = *out.mutable_cluster();
  info.set_cluster_id(message.cluster_id.str());
  *info.mutable_node() = to_wire(message.node);
  for (const Node& manager : message.managers) *info.add_managers() = to_wire(manager);
  *info.mutable_gossip_keys() = to_wire(message.gossip_keys);
  info.set_data_path_port(message.data_path_port);
  for (const HostPort& seed : message.gossip_seeds) info.add_gossip_seeds(seed.str());
  for (const NodeId& node : message.removed_nodes) info.add_removed_nodes(node.str());
}

void put(dispatch::ManagerMessage& out, const Assignments& message) {
  auto& set = *out.mutable_assignments();
  set.set_complete(message.complete);
  set.set_more(message.more);
  set.set_sequence(message.sequence);
  for (const Network& network : message.networks) *set.add_networks() = to_wire(network);
  for (const NetworkId& id : message.removed_networks) set.add_removed_networks(id.str());
  for (const Endpoint& endpoint : message.endpoints) *set.add_endpoints() = to_wire(endpoint);
  for (const EndpointId& id : message.removed_endpoints) set.add_removed_endpoints(id.str());
  for (const Node& node : message.nodes) *set.add_nodes() = to_wire(node);
  for (const NodeId& id : message.removed_nodes) set.add_removed_nodes(id.str());
}

void put(dispatch::ManagerMessage& out, const HeartbeatAck&) { out.mutable_heartbeat_ack(); }

}  // namespace

dispatch::ManagerMessage to_wire(const SessionMessage& message) {
  dispatch::ManagerMessage out;
  std::visit([&out](const auto& value) { put(out, value); }, message);
  return out;
}

dispatch::ManagerMessage to_wire(const Assignments& message) {
  dispatch::ManagerMessage out;
  put(out, message);
  return out;
}

Result<Registration> from_wire(const dispatch::Register& message) {
  Registration out;
  out.description = SHOAL_TRY(from_wire(message.description()));
  out.addresses = SHOAL_TRY(from_wire(message.addresses()));
  return out;
}

}  // namespace shoal::manager::wire
