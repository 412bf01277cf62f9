// The options of a bridge network, under Docker's names. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/types/ip.h"
#include "base/types/result.h"

namespace shoal::worker {

struct BridgeOptions {
  std::string bridge_name;  // empty: of the network's id
  bool masquerade = true;
  bool icc = true;            // endpoints of the network reach each other
  bool inhibit_ipv4 = false;  // the bridge gets no IPv4 address
  uint32_t mtu = 1500;        // of the endpoints, in bytes
  std::string ifname_prefix = "eth";
  Ip host_binding;  // where ports are published; 0.0.0.0: on every address, "::" on IPv6's

  friend bool operator==(const BridgeOptions&, const BridgeOptions&) = default;
};

// kInvalidArgument for a bad value, or a key that is none, naming the nearest; kUnimplemented for
// Docker's others.
Result<BridgeOptions> parse_bridge_options(const std::map<std::string, std::string>& options);

}  // namespace shoal::worker
