// Facts of this host: its addresses, its kernel, which ports are free.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "manager/model/objects.h"
#include "node/addresses.h"

namespace shoal::node {

// Addresses of interfaces that are up.
Result<std::vector<InterfaceAddress>> interface_addresses();

// `missing`: names of kernel features that were looked for and not found.
manager::NodeDescription describe_host(const std::vector<std::string>& missing);

// kAlreadyExists naming port and protocol when something listens there; kInvalidArgument when the
// address is not one of this host. `what`: "gossip".
Status check_port_free(const HostPort& address, bool tcp, bool udp, std::string_view what);

// "HOST[:PORT]" with an address or a name -> addresses, best first.
Result<std::vector<HostPort>> resolve_remote(const std::string& text, uint16_t default_port);

// The address of this host from which it would reach `remote`.
Result<Ip> address_towards(const HostPort& remote);

}  // namespace shoal::node
