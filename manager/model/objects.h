// The domain: cluster, node, network, subnet, endpoint, lease. Plain values, the same on managers
// and workers.
//
// *Spec is what users write, the rest what the system writes; the two never mix. Every object
// carries the raft index of its last change as `version`, and what a newer version added to it as
// `unknown`. Protobuf mirrors of these are in
// proto/common.proto and proto/store.proto, translated only in manager/wire.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types/id.h"
#include "base/types/ip.h"
#include "base/types/time.h"
#include "manager/model/unknown.h"

namespace shoal::manager {

enum class Role { kWorker, kManager };
enum class Availability { kActive, kPause, kDrain };
enum class NodeState { kUnknown, kReady, kDown };

using Labels = std::map<std::string, std::string>;

// What a user asks for. `subnet` absent: draw one from the pools; with a zero address
// ("0.0.0.0/24", "::/56"): draw one of that length.
struct SubnetSpec {
  std::optional<Prefix> subnet;
  std::optional<Ip> gateway;
  std::optional<Prefix> ip_range;
  std::map<std::string, Ip> aux_addresses;
  Unknown unknown;

  friend bool operator==(const SubnetSpec&, const SubnetSpec&) = default;
};

// What the network has: complete, host bits of `prefix` clear.
struct Subnet {
  Prefix prefix;
  Ip gateway;
  std::optional<Prefix> ip_range;
  std::map<std::string, Ip> aux_addresses;
  Unknown unknown;

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

struct NetworkSpec {
  std::string name;
  std::string driver = "overlay";
  bool attachable = false;
  bool internal = false;
  bool ingress = false;
  bool ipv6 = false;
  std::vector<SubnetSpec> subnets;
  std::map<std::string, std::string> options;
  Labels labels;
  Unknown unknown;

  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

struct Network {
  NetworkId id;
  NetworkSpec spec;
  std::vector<Subnet> subnets;
  Vni vni;
  WallTime created_at;
  WallTime updated_at;
  uint64_t version = 0;
  Unknown unknown;

  friend bool operator==(const Network&, const Network&) = default;
};

struct EndpointSpec {
  std::string name;  // unique in its network, whatever the case of its letters
  std::vector<std::string> aliases;
  std::vector<Ip> addresses;       // asked for; at most one of each family
  std::vector<std::string> ports;  // to publish, as `-p` says it (worker/publish/publish.h)
  Unknown unknown;

  friend bool operator==(const EndpointSpec&, const EndpointSpec&) = default;
};

struct Endpoint {
  EndpointId id;
  NetworkId network_id;
  NodeId node_id;
  EndpointSpec spec;
  std::vector<Prefix> addresses;  // the lease, with the subnet's length
  Mac mac;
  WallTime created_at;
  uint64_t version = 0;
  std::vector<std::string> ports;  // published: PortBinding's text
  Unknown unknown;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct NodeSpec {
  Role role = Role::kWorker;
  Availability availability = Availability::kActive;
  Labels labels;
  Unknown unknown;

  friend bool operator==(const NodeSpec&, const NodeSpec&) = default;
};

// Of one node. Hosts have a handful; of a router's the widest are told.
inline constexpr size_t kMaxHostRoutes = 128;

struct NodeDescription {
  std::string hostname;
  std::string os;
  std::string architecture;
  std::string version;
  std::string kernel;
  std::vector<std::string> features;
  std::vector<Prefix> host_routes;  // what its own networking uses; no overlay may overlap it
  uint32_t state_version = 0;  // the newest commands it can apply as a manager; 0: of version 1
  Unknown unknown;

  friend bool operator==(const NodeDescription&, const NodeDescription&) = default;
};

struct NodeAddresses {
  std::optional<HostPort> control;
  std::optional<HostPort> gossip;
  std::optional<Ip> data_path;
  Unknown unknown;

  friend bool operator==(const NodeAddresses&, const NodeAddresses&) = default;
};

struct NodeStatus {
  NodeState state = NodeState::kUnknown;
  std::string message;
  Unknown unknown;

  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};

struct Node {
  NodeId id;
  NodeSpec spec;
  NodeDescription description;
  NodeAddresses addresses;
  NodeStatus status;
  uint64_t raft_id = 0;  // 0: not a member of the raft group
  Role certified_role = Role::kWorker;
  WallTime created_at;
  uint64_t version = 0;
  Unknown unknown;

  friend bool operator==(const Node&, const Node&) = default;
};

struct GossipKey {
  uint64_t id = 0;
  std::string key;  // 32 bytes

  friend bool operator==(const GossipKey&, const GossipKey&) = default;
};

struct GossipKeyRing {
  std::vector<GossipKey> keys;  // at most 3, oldest first
  size_t primary = 0;  // the one that seals: the second oldest, so that all hold it already
  Unknown unknown;

  friend bool operator==(const GossipKeyRing&, const GossipKeyRing&) = default;
};

// A node whose certificates are refused.
struct RemovedNode {
  NodeId id;
  // No certificate of it is valid after this. 0: not known, written by an earlier version.
  WallTime expires_at;

  friend bool operator==(const RemovedNode&, const RemovedNode&) = default;
};

struct Cluster {
  ClusterId id;
  std::string root_certificate;  // PEM
  std::string root_key;          // PEM
  std::string worker_secret;     // 16 bytes
  std::string manager_secret;    // 16 bytes
  std::string unlock_key;        // 32 bytes: autolock is on; empty: it is off
  GossipKeyRing gossip_keys;
  std::vector<Prefix> address_pools;  // IPv4 and IPv6
  uint8_t mask_length_v4 = 24;
  uint8_t mask_length_v6 = 64;
  uint16_t data_path_port = 4789;
  Duration heartbeat_period = std::chrono::seconds(5);
  Duration node_certificate_validity = std::chrono::hours(2160);
  WallTime created_at;
  std::vector<RemovedNode> removed_nodes;  // in the order of their removal
  Vni next_vni{4096};
  // How often the cluster was founded anew from one manager's state.
  uint64_t generation = 0;
  uint64_t version = 0;
  Unknown unknown;

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

// A released address that must not be given again before `until`.
struct Quarantined {
  NetworkId network_id;
  Ip address;
  WallTime until;

  friend bool operator==(const Quarantined&, const Quarantined&) = default;
};

// Where the search for a free address of a subnet goes on. Kept apart from Network, so that
// attaching an endpoint does not change the network.
struct AddressCursor {
  NetworkId network_id;
  Prefix subnet;
  Ip next;

  friend bool operator==(const AddressCursor&, const AddressCursor&) = default;
};

// The removal of a network, remembered so that neither trying it again nor trying again to make
// that network does a second time what was done. (The request that makes a network gives it its id:
// while the network is there, it tells of itself.)
struct HandledRequest {
  std::string id;      // as the first manager drew it; the network's when nobody tries again
  NetworkId network;   // that it removed
  uint64_t index = 0;  // of the raft entry that did it

  friend bool operator==(const HandledRequest&, const HandledRequest&) = default;
};

struct SubnetUsage {
  Prefix subnet;
  uint64_t size =
      0;  // addresses that can be given: without network, broadcast, gateway, aux; saturated
  uint64_t used = 0;
  uint64_t quarantined = 0;
  uint64_t free = 0;

  friend bool operator==(const SubnetUsage&, const SubnetUsage&) = default;
};

}  // namespace shoal::manager
