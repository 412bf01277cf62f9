// Command: one change of the replicated store, as a raft entry carries it. Outcome: what applying
// it did.
//
// A command holds everything its application needs (ids, the proposer's clock, a seed), so that
// every manager that applies it at the same index reaches the same state.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types/result.h"
#include "manager/model/objects.h"

namespace shoal::manager {

struct InitCluster {
  Cluster cluster;
  Node node;  // the first manager
};
// Idempotent by id: the same id and spec again answers with the network made before.
struct CreateNetwork {
  NetworkId id;
  NetworkSpec spec;
  std::vector<Prefix> avoid;  // routes of the hosts: no subnet drawn from the pools overlaps them
};
struct RemoveNetwork {
  NetworkId id;
};
// Idempotent by id: the same id, network, node and spec again answers with the lease given before.
struct AttachEndpoint {
  EndpointId id;
  NetworkId network_id;
  NodeId node_id;
  EndpointSpec spec;
};
// Detaching what is gone succeeds. With `node_id` set, only that node's endpoint is detached.
struct DetachEndpoint {
  EndpointId id;
  NodeId node_id;
};
struct CreateNode {
  Node node;
};
// Absent parts stay as they are.
struct UpdateNode {
  NodeId id;
  std::optional<NodeSpec> spec;
  std::optional<NodeDescription> description;
  std::optional<NodeAddresses> addresses;
  std::optional<NodeStatus> status;
  std::optional<uint64_t> raft_id;  // 0 clears it
  std::optional<Role> certified_role;
};
// Releases the node's endpoints too. A node that is ready needs `force`.
struct RemoveNode {
  NodeId id;
  bool force = false;
};
struct RotateJoinToken {
  Role role = Role::kWorker;
  std::string secret;  // 16 bytes
};
struct RotateGossipKey {
  GossipKey key;
};

// Empty: autolock is off.
struct SetUnlockKey {
  std::string key;  // 32 bytes
};

using Operation = std::variant<InitCluster, CreateNetwork, RemoveNetwork, AttachEndpoint,
                               DetachEndpoint, CreateNode, UpdateNode, RemoveNode, RotateJoinToken,
                               RotateGossipKey, SetUnlockKey>;

// An operation is of the version that brought it; one whose effect changes is a new operation.
// Nothing is proposed that a manager cannot apply.
uint32_t version_of(const Operation& operation);
// That of the newest operations that this program can apply.
uint32_t state_version();

struct Command {
  WallTime proposed_at;
  uint64_t seed = 0;
  Operation operation;
  // Of CreateNetwork (the network's id) and RemoveNetwork: whose wish it is. However often a
  // request is tried, it takes effect once, and each try is answered as the one that did. Empty:
  // nobody tries again.
  std::string request;
  // Of a request that was tried before: an index that was applied before the first try. 0: the
  // first try.
  uint64_t since = 0;
};

using Object =
    std::variant<Cluster, Network, Endpoint, Node, Quarantined, AddressCursor, HandledRequest>;

// One record written or removed. For a removal `object` is the record as it was.
struct Change {
  Object object;
  bool removed = false;

  friend bool operator==(const Change&, const Change&) = default;
};

// What applying a command gave its proposer: the object it made or changed, if any.
using Answer = std::variant<std::monostate, Cluster, Network, Endpoint, Node>;

struct Outcome {
  Result<Answer> answer = Answer{};
  std::vector<Change> changes;  // empty when refused
};

}  // namespace shoal::manager
