// Which of a host's routes the managers are told, so that no overlay overlaps them. Pure.
#pragma once

#include <vector>

#include "base/types/ip.h"

namespace shoal::worker {

// Network addresses, sorted, none inside another: without default routes (also in halves, as VPNs
// write them), loopback, link-local and multicast. Of more than manager::kMaxHostRoutes the widest
// are kept.
std::vector<Prefix> told_routes(std::vector<Prefix> destinations);

}  // namespace shoal::worker
