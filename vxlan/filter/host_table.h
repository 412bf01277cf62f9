// The nftables text of "table inet shoal": what the host's packet filter does for bridges of ours.
//
//     forward       within one bridge: accepted; from or to an internal bridge: dropped; answers,
//                   and what a published port leads to a bridge: accepted; else from one bridge to
//                   another, or from outside to a bridge: dropped
//     postrouting   what leaves the host from a bridge's subnet takes the host's own address; so
//                   does what a published port leads back into the bridge it came from, and what
//                   the host itself sends to one: the endpoint would answer past the translation
//     loopback      nothing from a bridge is from or to 127.0.0.0/8, which a bridge with published
//                   ports may route
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

// "table inet shoal-user" is the user's: made with an empty chain when it is absent, never written
// again. Its chain is before ours, so that what it drops is dropped, published or not.
inline constexpr std::string_view kUserTable = "shoal-user";
std::string render_user_table();
// Fails where the chain has rules.
std::string render_user_removal();
// Whether nobody has written anything into it.
bool is_untouched_user_table(std::string_view listing);

}  // namespace shoal::vxlan
