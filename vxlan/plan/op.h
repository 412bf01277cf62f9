// Op: one change of kernel state. Every op is idempotent: done twice it leaves the same state, and
// removing what is gone is success.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vxlan/model/model.h"

namespace shoal::vxlan {

// Made down, without ports.
struct CreateBridge {
  Link link;
};
// Made down, straight into the overlay namespace with its underlay socket in the host namespace.
struct CreateVxlan {
  Link link;
};
// Both ends down: `port` in the overlay namespace, `inside` in the endpoint's under its making
// name.
struct CreateVethPair {
  Link port;
  Link inside;
};
struct DeleteLink {
  std::string name;
  int index = 0;  // never an interface that took the name meanwhile
};
// Only the fields that are set are changed.
struct SetLink {
  std::string name;
  int index = 0;  // 0: found by name
  std::optional<std::string> rename;
  std::optional<std::string> alias;
  std::optional<Mac> mac;
  std::optional<uint32_t> mtu;
  std::optional<PortConfig> port;
  std::optional<BridgeConfig> bridge;
  std::optional<Inet6Config> inet6;
  std::optional<bool> up;

  bool empty() const {
    return !rename && !alias && !mac && !mtu && !port && !bridge && !inet6 && !up;
  }
};
struct PutFdb {
  Fdb fdb;
};
struct DeleteFdb {
  Fdb fdb;
};
struct PutNeigh {
  Neigh neigh;
};
struct DeleteNeigh {
  Neigh neigh;
};
struct PutAddress {
  Address address;
};
struct DeleteAddress {
  Address address;
};
struct PutRoute {
  Route route;
};
struct DeleteRoute {
  Route route;
};

enum class Place { kOverlay, kEndpoint };

struct Op {
  Place place = Place::kOverlay;
  std::variant<CreateBridge, CreateVxlan, CreateVethPair, DeleteLink, SetLink, PutFdb, DeleteFdb,
               PutNeigh, DeleteNeigh, PutAddress, DeleteAddress, PutRoute, DeleteRoute>
      action;
};

using Plan = std::vector<Op>;

// One line for a person: "point 02:..:05 at 192.0.2.7 (vxlan0)".
std::string explain(const Op& op);

}  // namespace shoal::vxlan
