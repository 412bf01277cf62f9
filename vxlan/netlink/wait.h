// Waits for what the kernel does some moments after it acknowledged a change.
//
// A link that was set up passes frames only once its carrier was noticed, and an IPv6 address is
// answered for only once its local route is in (both by the kernel's work queues): until then
// packets are lost. Both are mostly done at the first look.
#pragma once

#include <chrono>
#include <string>

#include "vxlan/netlink/socket.h"

namespace shoal::vxlan {

inline constexpr std::chrono::milliseconds kWaitPatience{500};

// kUnavailable when the link has no carrier within kWaitPatience (its other end is down).
Status wait_running(NetlinkSocket& socket, const std::string& name);
// kUnavailable when the namespace does not take `ip` for its own within kWaitPatience.
Status wait_local(NetlinkSocket& socket, const Ip& ip);

}  // namespace shoal::vxlan
