// What a leader says to a worker in a session, as plain values (proto/dispatch.proto translated in
// dispatcher/wire.h).
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "manager/model/objects.h"

namespace shoal::manager {

struct Registered {
  std::string session_id;
  Duration heartbeat_period{};
};

// Whole, on every change.
struct ClusterInfo {
  ClusterId cluster_id;
  Node node;  // the worker's own
  std::vector<Node> managers;
  GossipKeyRing gossip_keys;
  uint16_t data_path_port = 0;
  std::vector<HostPort> gossip_seeds;  // managers first
  std::vector<NodeId> removed_nodes;   // the most recent ones

  friend bool operator==(const ClusterInfo&, const ClusterInfo&) = default;
};

// Everything, or a change; either may come in several messages, of which all but the last say
// `more`.
struct Assignments {
  bool complete = false;  // said by the first message
  bool more = false;
  uint64_t sequence = 0;  // of the message; from 1, without gaps
  std::vector<Network> networks;
  std::vector<NetworkId> removed_networks;
  std::vector<Endpoint> endpoints;  // of the worker's node
  std::vector<EndpointId> removed_endpoints;
  std::vector<Node> nodes;  // id, hostname and addresses only
  std::vector<NodeId> removed_nodes;
};

struct HeartbeatAck {};

using SessionMessage = std::variant<Registered, ClusterInfo, Assignments, HeartbeatAck>;

// What many sessions are told in the same words: lists of networks and nodes, nothing else.
using SharedNews = std::shared_ptr<const Assignments>;

// One message of a session. `shared`, may be null and goes with Assignments alone: what it lists is
// part of the message.
struct Told {
  SessionMessage message;
  SharedNews shared;
};

}  // namespace shoal::manager
