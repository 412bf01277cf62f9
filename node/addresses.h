// Which of a host's addresses a node uses. Pure: the list comes from the caller.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types/ip.h"

namespace shoal::node {

struct InterfaceAddress {
  std::string interface;
  Ip address;
};

// An address of this host named by itself or by its interface; empty: the only global one (IPv4
// before IPv6). kInvalidArgument listing the candidates when that is not clear. `option` is what
// the user would say, for the message: "--advertise-addr".
Result<Ip> choose_address(const std::vector<InterfaceAddress>& addresses, std::string_view text,
                          std::string_view option);

// The same with an optional port: "ADDRESS", "ADDRESS:PORT", "[ADDRESS6]:PORT", "INTERFACE:PORT".
// An address may be one that this host does not have (behind NAT).
Result<HostPort> choose_advertise(const std::vector<InterfaceAddress>& addresses,
                                  std::string_view text, uint16_t default_port);

// Where to listen: "", "ADDRESS", "ADDRESS:PORT". Default: any address of `family`, `default_port`.
Result<HostPort> choose_listen(std::string_view text, Family family, uint16_t default_port);

}  // namespace shoal::node
