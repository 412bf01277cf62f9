// The nftables text of "table inet shoal": what the host's packet filter does for bridges of ours.
//
//     forward       within one bridge: accepted - answers: accepted - from or to an internal
//     bridge,
//                   from one bridge to another, or from outside to a bridge: dropped
//     postrouting   what leaves the host from a bridge's subnet takes the host's own address
//
// Bridges are elements of sets, so the rules are as many for one as for a thousand. "Accepted" ends
// this table's chain only: a drop of another table stands. Packets that have nothing to do with
// our bridges pass untouched, but for the guard. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vxlan/model/host.h"

namespace shoal::vxlan {

inline constexpr std::string_view kHostTable = "shoal";

struct HostTable {
  std::vector<BridgeRules> bridges;
  // The host forwarded nothing of that family before bridges of ours needed it: it goes on so for
  // whatever is neither from nor to one of them.
  bool guard_v4 = false;
  bool guard_v6 = false;

  friend bool operator==(const HostTable&, const HostTable&) = default;
};

// A script that replaces the table in one transaction; that removes it when there is no bridge.
std::string render_host_table(const HostTable& table);

}  // namespace shoal::vxlan
