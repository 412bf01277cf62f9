// Model <-> proto/common.proto. With store_wire.h the only place where the two meet.
//
// to_wire() cannot fail. from_wire() checks everything: forms of ids and addresses, and the bounds
// below; it answers kInvalidArgument with a sentence that names the field. What a field *means*
// (names taken, subnets that overlap) is not judged here. Thread-safe: no state.
#pragma once

#include <cstddef>

#include "base/types/result.h"
#include "manager/model/objects.h"
#include "proto/common.pb.h"

namespace shoal::manager::wire {

// Bounds of what is accepted from outside. They are far above real use and keep one message from
// costing the managers' memory for ever.
inline constexpr size_t kMaxText = 1024;        // names, hostnames, versions, messages: bytes
inline constexpr size_t kMaxLabelValue = 8192;  // labels and options carry compose files' strings
inline constexpr size_t kMaxLabels = 256;       // entries of a map
inline constexpr size_t kMaxPublished = 8192;   // ports of one endpoint, ranges counting once
inline constexpr size_t kMaxList = 256;         // aliases, features, subnets, auxiliary addresses
inline constexpr size_t kGossipKeySize = 32;
inline constexpr size_t kUnlockKeySize = 32;
inline constexpr size_t kMaxGossipKeys = 3;

common::Role to_wire(Role role);
Result<Role> from_wire(common::Role role);  // unspecified is refused
common::Availability to_wire(Availability availability);
Result<Availability> from_wire(common::Availability availability);
common::NodeState to_wire(NodeState state);
Result<NodeState> from_wire(common::NodeState state);

common::Subnet to_wire(const SubnetSpec& subnet);
Result<SubnetSpec> spec_from_wire(const common::Subnet& subnet);
common::Subnet to_wire(const Subnet& subnet);
Result<Subnet> from_wire(const common::Subnet& subnet);

common::NetworkSpec to_wire(const NetworkSpec& spec);
Result<NetworkSpec> from_wire(const common::NetworkSpec& spec);  // driver "" reads as "overlay"
common::Network to_wire(const Network& network);
Result<Network> from_wire(const common::Network& network);

common::EndpointSpec to_wire(const EndpointSpec& spec);
Result<EndpointSpec> from_wire(const common::EndpointSpec& spec);
common::Endpoint to_wire(const Endpoint& endpoint);
Result<Endpoint> from_wire(const common::Endpoint& endpoint);

common::NodeSpec to_wire(const NodeSpec& spec);
Result<NodeSpec> from_wire(const common::NodeSpec& spec);
common::NodeDescription to_wire(const NodeDescription& description);
Result<NodeDescription> from_wire(const common::NodeDescription& description);
common::NodeAddresses to_wire(const NodeAddresses& addresses);
Result<NodeAddresses> from_wire(const common::NodeAddresses& addresses);
common::NodeStatus to_wire(const NodeStatus& status);
Result<NodeStatus> from_wire(const common::NodeStatus& status);
// `manager.leader` and `manager.reachable` are not part of the model: the API fills them in.
common::Node to_wire(const Node& node);
Result<Node> from_wire(const common::Node& node);

common::GossipKeyRing to_wire(const GossipKeyRing& ring);
Result<GossipKeyRing> from_wire(const common::GossipKeyRing& ring);
common::SubnetUsage to_wire(const SubnetUsage& usage);
Result<SubnetUsage> from_wire(const common::SubnetUsage& usage);

}  // namespace shoal::manager::wire
