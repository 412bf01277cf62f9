// Applies rendered nftables scripts inside a namespace, through libnftables. Each call enters the
// namespace on a thread of its own and takes a few milliseconds.
#pragma once

#include <cstdint>

#include "vxlan/netlink/namespace.h"

namespace shoal::vxlan {

// Makes the namespace lead DNS to 127.0.0.11:`port` (render.h). Atomic; returns false when it did
// so already and nothing was changed. kUnimplemented when the kernel lacks nftables.
Result<bool> apply_dns_redirect(const NamespaceFd& space, uint16_t port);
// Removes the table, if there is one.
Status remove_dns_redirect(const NamespaceFd& space);

}  // namespace shoal::vxlan
