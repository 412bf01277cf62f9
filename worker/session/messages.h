// What a leader tells a worker, as plain values (proto/dispatch.proto carries them).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types/id.h"
#include "base/types/ip.h"
#include "base/types/time.h"
#include "manager/model/objects.h"

namespace shoal::worker {

struct ClusterInfo {
  ClusterId cluster;
  manager::Node node;  // this worker's own; its certificate follows spec.role
  std::vector<manager::Node> managers;
  manager::GossipKeyRing gossip_keys;
  uint16_t data_path_port = 0;
  std::vector<HostPort> gossip_seeds;  // managers first
  std::vector<NodeId> removed_nodes;   // their gossip entries are to be forgotten
};

// Everything (`complete`) or a change. Sequence numbers of one session count up by one from 1.
struct Assignments {
  bool complete = false;
  uint64_t sequence = 0;
  std::vector<manager::Network> networks;  // the catalogue: all networks of the cluster
  std::vector<NetworkId> removed_networks;
  std::vector<manager::Endpoint> endpoints;  // of this node
  std::vector<EndpointId> removed_endpoints;
  std::vector<manager::Node> nodes;  // id, hostname and addresses of every node
  std::vector<NodeId> removed_nodes;
};

struct Registered {
  std::string session_id;
  Duration heartbeat_period{};
};

}  // namespace shoal::worker
