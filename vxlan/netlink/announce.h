// Tells the endpoints of this host that an IP has (another) MAC, so that those who knew the old one
// use the new one at once and not when their neighbour entry has aged (up to 50 s on Linux).
//
// A gratuitous ARP reply, or an unsolicited neighbour advertisement with the override flag
// (RFC 4861, 4.4), sent on br0: it reaches the ports, and ends at vxlan0, which floods nothing.
// Who has no entry for the IP makes none.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/types/ip.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::vxlan {

// The whole Ethernet frame.
std::vector<uint8_t> render_announcement(const Ip& ip, const Mac& mac);

// A raw socket of the calling thread's namespace that sends frames on any of its links.
Result<UniqueFd> open_announcer_here();

// `link_index`: br0's.
Status announce(const UniqueFd& announcer, int link_index, const Ip& ip, const Mac& mac);

}  // namespace shoal::vxlan
