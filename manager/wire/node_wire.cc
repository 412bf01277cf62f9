#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"

namespace shoal::manager::wire {

common::NodeState to_wire(NodeState state) {
  switch (state) {
    case NodeState::kUnknown:
      return common::NODE_STATE_UNKNOWN;
    case NodeState::kReady:
      return common::NODE_STATE_READY;
    case NodeState::kDown:
      return common::NODE_STATE_DOWN;
  }
  return common::NODE_STATE_UNKNOWN;
}

Result<NodeState> from_wire(common::NodeState state) {
  if (state == common::NODE_STATE_UNKNOWN) return NodeState::kUnknown;
  if (state == common::NODE_STATE_READY) return NodeState::kReady;
  if (state == common::NODE_STATE_DOWN) return NodeState::kDown;
  return invalid_argument("the node's state must be unknown, ready or down");
}

common::NodeSpec to_wire(const NodeSpec& spec) {
  common::NodeSpec out;
  out.set_role(to_wire(spec.role));
  out.set_availability(to_wire(spec.availability));
  out.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  put_unknown(spec.unknown, out);
  return out;
}

Result<NodeSpec> from_wire(const common::NodeSpec& spec) {
  NodeSpec out;
  out.role = SHOAL_TRY(from_wire(spec.role()));
  out.availability = SHOAL_TRY(from_wire(spec.availability()));
  out.labels = SHOAL_TRY(labels(spec.labels(), "labels"));
  out.unknown = SHOAL_TRY(unknown_of(spec));
  return out;
}

common::NodeDescription to_wire(const NodeDescription& description) {
  common::NodeDescription out;
  out.set_hostname(description.hostname);
  out.set_os(description.os);
  out.set_architecture(description.architecture);
  out.set_version(description.version);
  out.set_kernel(description.kernel);
  for (const std::string& feature : description.features) out.add_features(feature);
  for (const Prefix& route : description.host_routes) out.add_host_routes(route.str());
  out.set_state_version(description.state_version);
  put_unknown(description.unknown, out);
  return out;
}

Result<NodeDescription> from_wire(const common::NodeDescription& description) {
  NodeDescription out;
  out.hostname = SHOAL_TRY(text(description.hostname(), "the hostname", kMaxText));
  out.os = SHOAL_TRY(text(description.os(), "the operating system", kMaxText));
  out.architecture = SHOAL_TRY(text(description.architecture(), "the architecture", kMaxText));
  out.version = SHOAL_TRY(text(description.version(), "the version", kMaxText));
  out.kernel = SHOAL_TRY(text(description.kernel(), "the kernel", kMaxText));
  out.features = SHOAL_TRY(list<std::string>(
      description.features(), "features", kMaxList,
      [](const std::string& feature) { return text(feature, "a feature", kMaxText); }));
  out.host_routes =
      SHOAL_TRY(list<Prefix>(description.host_routes(), "host routes", kMaxList,
                             [](const std::string& route) { return Prefix::parse(route); }));
  out.state_version = description.state_version();
  out.unknown = SHOAL_TRY(unknown_of(description));
  return out;
}

common::NodeAddresses to_wire(const NodeAddresses& addresses) {
  common::NodeAddresses out;
  if (addresses.control) out.set_control(addresses.control->str());
  if (addresses.gossip) out.set_gossip(addresses.gossip->str());
  if (addresses.data_path) out.set_data_path(addresses.data_path->str());
  put_unknown(addresses.unknown, out);
  return out;
}

Result<NodeAddresses> from_wire(const common::NodeAddresses& addresses) {
  const auto address = [](const std::string& value,
                          const char* field) -> Result<std::optional<HostPort>> {
    if (value.empty()) return std::optional<HostPort>();
    auto result = HostPort::parse(value);
    if (!result) return result.error().wrap(field);
    return std::optional<HostPort>(*result);
  };
  NodeAddresses out;
  out.control = SHOAL_TRY(address(addresses.control(), "the control address"));
  out.gossip = SHOAL_TRY(address(addresses.gossip(), "the gossip address"));
  out.data_path = SHOAL_TRY(optionally_parsed<Ip>(addresses.data_path(), "the data path address"));
  out.unknown = SHOAL_TRY(unknown_of(addresses));
  return out;
}

common::NodeStatus to_wire(const NodeStatus& status) {
  common::NodeStatus out;
  out.set_state(to_wire(status.state));
  out.set_message(status.message);
  put_unknown(status.unknown, out);
  return out;
}

Result<NodeStatus> from_wire(const common::NodeStatus& status) {
  NodeStatus out;
  out.state = SHOAL_TRY(from_wire(status.state()));
  out.message = SHOAL_TRY(text(status.message(), "the status message", kMaxText));
  out.unknown = SHOAL_TRY(unknown_of(status));
  return out;
}

common::Node to_wire(const Node& node) {
  common::Node out;
  out.set_id(node.id.str());
  *out.mutable_spec() = to_wire(node.spec);
  *out.mutable_description() = to_wire(node.description);
  *out.mutable_addresses() = to_wire(node.addresses);
  *out.mutable_status() = to_wire(node.status);
  if (node.raft_id != 0) out.mutable_manager()->set_raft_id(node.raft_id);
  out.set_created_at(node.created_at.nanoseconds);
  out.set_version(node.version);
  out.set_certified_role(to_wire(node.certified_role));
  put_unknown(node.unknown, out);
  return out;
}

Result<Node> from_wire(const common::Node& node) {
  Node out;
  out.id = SHOAL_TRY(NodeId::parse(node.id()));
  out.spec = SHOAL_TRY(from_wire(node.spec()));
  out.description = SHOAL_TRY(from_wire(node.description()));
  out.addresses = SHOAL_TRY(from_wire(node.addresses()));
  out.status = SHOAL_TRY(from_wire(node.status()));
  out.raft_id = node.manager().raft_id();
  out.created_at = {node.created_at()};
  out.version = node.version();
  out.certified_role = SHOAL_TRY(from_wire(node.certified_role()));
  out.unknown = SHOAL_TRY(unknown_of(node));
  return out;
}

}  // namespace shoal::manager::wire
