// The difference between what networks of this host should have in its namespace and what is there.
// Ops are for Place::kOverlay, which is here the host's namespace.
#pragma once

#include <set>
#include <string>

#include "base/types/result.h"
#include "vxlan/model/host.h"
#include "vxlan/plan/op.h"

namespace shoal::vxlan {

// The bridge, complete before it is up, and its addresses. kAlreadyExists when its name is an
// interface's that is not this network's.
Result<Plan> plan_host_network(const DesiredHostNetwork& desired, const NamespaceState& host);

// Removes links that carry our mark and are none of `wanted` (names).
Plan plan_host_leftovers(const std::set<std::string>& wanted, const NamespaceState& host);

}  // namespace shoal::vxlan
