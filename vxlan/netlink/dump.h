// Dumps of a namespace as model values. Only what the planner looks at is kept: neighbours of VXLAN
// devices, forwarding entries of VXLAN devices and of bridge ports, routes of the main table that
// are on-link or ours.
#pragma once

#include "vxlan/model/model.h"
#include "vxlan/netlink/socket.h"

namespace shoal::vxlan {

Result<std::vector<Link>> dump_links(NetlinkSocket& socket);
// Links, forwarding entries and neighbours: an overlay namespace.
Result<NamespaceState> dump_overlay(NetlinkSocket& socket);
// All links; addresses and routes of the links that carry `alias` only.
Result<NamespaceState> dump_inside(NetlinkSocket& socket, const std::string& alias);
// All links; addresses of those that carry our mark: the host's namespace.
Result<NamespaceState> dump_marked(NetlinkSocket& socket);
// The link that holds `ip`, or kNotFound.
Result<Link> find_link_with_address(NetlinkSocket& socket, const Ip& ip);
// What the main table sends somewhere: destinations of unicast routes of both families, without
// default routes. Those through bridges of ours count: no overlay has a route in a host's
// namespace, and none is to be drawn over a network that a host has for itself.
Result<std::vector<Prefix>> dump_destinations(NetlinkSocket& socket);
// One link by name, or kNotFound.
Result<Link> get_link(NetlinkSocket& socket, const std::string& name);

}  // namespace shoal::vxlan
