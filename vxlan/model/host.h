// What a network of this host alone has in the host's own namespace.
//
//     host namespace                                        endpoint namespace
//     br-<network> --+-- ve<endpoint> ====== veth pair ====== eth0 (or the name asked for)
//       (gateway)    +-- ve<endpoint> ...
//
// A bridge is born under its own name (born_name) and gets alias, MAC and its final name in one
// step. So a bridge with our alias is complete, and one with a desired born name and no alias was
// being made when its maker died. By alias alone is told what of it is left over.
//
// Pure values: no IO, no threads.
#pragma once

#include <string>
#include <vector>

#include "vxlan/model/model.h"

namespace shoal::vxlan {

// "br-" and the first 12 of the id: as long as the kernel allows, and as Docker names its own.
std::string bridge_name(const NetworkId& network);
// A unicast, locally administered MAC that is the network's for good: else a bridge takes that of
// its ports, and with them changes the gateway's under its endpoints.
Mac bridge_mac(const NetworkId& network);

// What the host's packet filter is told of one bridge.
struct BridgeRules {
  std::string bridge;
  bool internal = false;           // nothing is forwarded into it or out of it
  std::vector<Prefix> masquerade;  // sources that leave the host under its own address
  std::vector<Prefix> subnets;     // of its endpoints

  friend bool operator==(const BridgeRules&, const BridgeRules&) = default;
};

struct DesiredHostNetwork {
  NetworkId network;
  Link bridge;
  std::vector<Prefix> addresses;  // of the bridge: the gateways, with their subnet's length
  BridgeRules rules;

  friend bool operator==(const DesiredHostNetwork&, const DesiredHostNetwork&) = default;
};

}  // namespace shoal::vxlan
