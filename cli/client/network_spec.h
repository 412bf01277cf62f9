// `network create`'s flags as a spec: which gateway, range and auxiliary address belongs to which
// subnet.
#pragma once

#include "base/types/result.h"
#include "cli/commands/invocation.h"
#include "proto/common.pb.h"

namespace shoal::cli {

// Like Docker: each gateway, range and auxiliary address goes to the one subnet that contains it;
// kInvalidArgument when none does, or a subnet gets two gateways. Without --subnet the gateways and
// ranges have nothing to belong to and are refused.
Result<common::NetworkSpec> network_spec(const NetworkCreateCommand& command);

}  // namespace shoal::cli
