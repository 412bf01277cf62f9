// Catalogue: what the assignments add up to. Every worker knows all networks and nodes, and its own
// endpoints as the managers see them, and answers from it while managers are away.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "worker/session/messages.h"

namespace shoal::worker {

// Never changed: what is told of a network anew takes its place.
using NetworkPtr = std::shared_ptr<const manager::Network>;

class Catalogue {
 public:
  // A complete message replaces everything; a change adds, replaces and removes by id.
  void apply(const Assignments& assignments);

  const std::map<NetworkId, NetworkPtr>& networks() const { return networks_; }
  const std::map<EndpointId, manager::Endpoint>& endpoints() const { return endpoints_; }
  const std::map<NodeId, manager::Node>& nodes() const { return nodes_; }

  // By id, name, or unique prefix of an id (in this order). kNotFound, or kInvalidArgument when
  // several ids begin so.
  Result<manager::Network> find_network(std::string_view reference) const;

  // All of it as it is now. Networks may be many; none is copied.
  struct Content {
    std::vector<NetworkPtr> networks;
    std::vector<manager::Endpoint> endpoints;
    std::vector<manager::Node> nodes;
  };
  Content content() const;

 private:
  std::map<NetworkId, NetworkPtr> networks_;
  std::map<EndpointId, manager::Endpoint> endpoints_;
  std::map<NodeId, manager::Node> nodes_;
};

}  // namespace shoal::worker
