// What the store should decide, computed by walking through plain lists.
//
// Nothing is indexed and nothing is remembered but the objects and, for each subnet, the address
// after the last one drawn. Meant for subnets of a few addresses. It foretells the class of a
// refusal, not its words.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "manager/model/command.h"

namespace shoal::manager {

class StoreOracle {
 public:
  StoreOracle(const Cluster& cluster, const Node& first) : cluster_(cluster), nodes_{first} {}

  // What would be answered: nothing, or the class of the refusal. Accepted commands take effect.
  std::optional<ErrorClass> apply(const Command& command);

  const std::vector<Network>& networks() const { return networks_; }
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<SubnetUsage> usage(const Network& network, WallTime now) const;

 private:
  struct Rest {
    NetworkId network_id;
    Ip address;
    WallTime until;
  };
  using Refusal = std::optional<ErrorClass>;

  Refusal operate(const CreateNetwork& op);
  Refusal operate(const RemoveNetwork& op);
  Refusal operate(const AttachEndpoint& op);
  Refusal operate(const DetachEndpoint& op);
  Refusal operate(const CreateNode& op);
  Refusal operate(const UpdateNode& op);
  Refusal operate(const RemoveNode& op);
  template <typename Other>
  Refusal operate(const Other&) {
    return std::nullopt;
  }

  Refusal plan_subnets(const CreateNetwork& op, std::vector<Subnet>& result) const;
  std::optional<Prefix> draw_subnet(Family family, uint8_t length,
                                    const std::vector<Prefix>& taken) const;
  Refusal choose(const Network& network, const std::vector<Ip>& requested,
                 std::vector<Prefix>& result);
  std::optional<Ip> draw_address(const Network& network, const Subnet& subnet);
  bool givable(const Subnet& subnet, const Ip& ip) const;
  bool held(const NetworkId& network, const Ip& ip) const;
  const Rest* rest(const NetworkId& network, const Ip& ip) const;
  void clear_expired();
  void release(const Endpoint& endpoint);
  size_t managers() const;

  Cluster cluster_;
  std::vector<Network> networks_;
  std::vector<Endpoint> endpoints_;
  std::vector<Node> nodes_;
  std::vector<Rest> resting_;
  std::map<std::pair<NetworkId, Prefix>, Ip> after_last_;
  WallTime now_;
};

}  // namespace shoal::manager
