// Who has a port of this host: looked for in /proc, where every process's descriptors are. Slow on
// a busy host (tens of milliseconds), so asked on refusals alone.
#pragma once

#include <string>

#include "worker/publish/publish.h"

namespace shoal::worker {

// "nginx (pid 4242)", or empty when it cannot be told. A socket on the unspecified address has the
// port of all its family's; one of IPv6 may have IPv4's too.
std::string find_port_owner(PortProtocol protocol, const Ip& ip, uint16_t port);

}  // namespace shoal::worker
