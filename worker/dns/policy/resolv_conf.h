// The upstreams a resolv.conf names.
#pragma once

#include <string_view>
#include <vector>

#include "base/types/ip.h"

namespace shoal::worker::dns {

// The `nameserver` lines in order, port 53. Left out: 127.0.0.11 (that is us, or another engine's
// resolver: asking it would loop), duplicates, and what is not an address (a scope id included).
std::vector<HostPort> upstreams_of_resolv_conf(std::string_view text);

}  // namespace shoal::worker::dns
