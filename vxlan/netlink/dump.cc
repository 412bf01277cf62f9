#include "vxlan/netlink/dump.h"

// The order matters: libc's headers first, then the kernel's, which then leave out what is defined.
#include <netinet/in.h>
//
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <map>
#include <set>

namespace shoal::vxlan {
namespace {

constexpr uint32_t kSkipStatistics = RTEXT_FILTER_SKIP_STATS;

VxlanConfig parse_vxlan(const Attributes& data) {
  VxlanConfig config;
  config.vni = Vni{data.number<uint32_t>(IFLA_VXLAN_ID).value_or(0)};
  if (auto local = data.ip(IFLA_VXLAN_LOCAL)) config.local = *local;
  if (auto local = data.ip(IFLA_VXLAN_LOCAL6)) config.local = *local;
  config.port = ntohs(data.number<uint16_t>(IFLA_VXLAN_PORT).value_or(0));
  config.learning = data.number<uint8_t>(IFLA_VXLAN_LEARNING).value_or(0) != 0;
  config.proxy = data.number<uint8_t>(IFLA_VXLAN_PROXY).value_or(0) != 0;
  config.df = static_cast<DfMode>(data.number<uint8_t>(IFLA_VXLAN_DF).value_or(0));
  config.has_default_destination = data.has(IFLA_VXLAN_GROUP) || data.has(IFLA_VXLAN_GROUP6);
  return config;
}

std::optional<Inet6Config> parse_inet6(const Attributes& link) {
  const Attributes inet6 = link.nested(IFLA_AF_SPEC).nested(AF_INET6);
  const nlattr* const conf = inet6.find(IFLA_INET6_CONF);
  if (conf == nullptr) return {};
  const auto value = [&](int index) {
    int32_t number = 0;
    const int offset = index * static_cast<int>(sizeof number);
    if (nla_len(conf) >= offset + static_cast<int>(sizeof number)) {
      std::memcpy(&number, static_cast<const uint8_t*>(nla_data(conf)) + offset, sizeof number);
    }
    return number;
  };
  return Inet6Config{value(DEVCONF_DISABLE_IPV6) != 0, value(DEVCONF_ACCEPT_RA) != 0};
}

LinkKind kind_of(const std::string& kind, const ifinfomsg& info) {
  if (kind == "bridge") return LinkKind::kBridge;
  if (kind == "vxlan") return LinkKind::kVxlan;
  if (kind == "veth") return LinkKind::kVeth;
  return (info.ifi_flags & IFF_LOOPBACK) != 0 ? LinkKind::kLoopback : LinkKind::kOther;
}

// `master` gets the index of the bridge; the caller turns it into a name.
Link parse_link(const nlmsghdr* message, int& master) {
  const auto& info = *static_cast<const ifinfomsg*>(nlmsg_data(message));
  const auto attributes = Attributes::of<ifinfomsg>(message);
  const Attributes kind_info = attributes.nested(IFLA_LINKINFO);
  const Attributes data = kind_info.nested(IFLA_INFO_DATA);
  Link link;
  link.index = info.ifi_index;
  link.name = attributes.string(IFLA_IFNAME);
  link.alias = attributes.string(IFLA_IFALIAS);
  link.kind = kind_of(kind_info.string(IFLA_INFO_KIND), info);
  link.mac = attributes.mac(IFLA_ADDRESS).value_or(Mac());
  link.mtu = attributes.number<uint32_t>(IFLA_MTU).value_or(0);
  link.up = (info.ifi_flags & IFF_UP) != 0;
  const uint8_t state = attributes.number<uint8_t>(IFLA_OPERSTATE).value_or(IF_OPER_UNKNOWN);
  link.running = link.up && (state == IF_OPER_UP || state == IF_OPER_UNKNOWN);
  link.inet6 = parse_inet6(attributes);
  if (link.kind == LinkKind::kVeth) {
    link.peer_index = attributes.number<int32_t>(IFLA_LINK).value_or(0);
  }
  if (link.kind == LinkKind::kVxlan) link.vxlan = parse_vxlan(data);
  if (link.kind == LinkKind::kBridge) {
    link.bridge = BridgeConfig{data.number<uint32_t>(IFLA_BR_STP_STATE).value_or(0) != 0,
                               data.number<uint8_t>(IFLA_BR_MCAST_SNOOPING).value_or(0) != 0};
  }
  master = attributes.number<int32_t>(IFLA_MASTER).value_or(0);
  if (master != 0 && kind_info.string(IFLA_INFO_SLAVE_KIND) == "bridge") {
    const Attributes port = kind_info.nested(IFLA_INFO_SLAVE_DATA);
    link.port = PortConfig{"", port.number<uint8_t>(IFLA_BRPORT_LEARNING).value_or(0) != 0,
                           port.number<uint8_t>(IFLA_BRPORT_UNICAST_FLOOD).value_or(0) != 0,
                           port.number<uint8_t>(IFLA_BRPORT_ISOLATED).value_or(0) != 0,
                           port.number<uint8_t>(IFLA_BRPORT_MODE).value_or(0) != 0};
  }
  return link;
}

using Names = std::map<int, const Link*>;

Names index_links(const std::vector<Link>& links) {
  Names names;
  for (const Link& link : links) names[link.index] = &link;
  return names;
}

const Link* link_at(const Names& names, int index) {
  const auto found = names.find(index);
  return found == names.end() ? nullptr : found->second;
}

std::optional<Fdb> parse_fdb(const nlmsghdr* message, const Names& names) {
  const auto& header = *static_cast<const ndmsg*>(nlmsg_data(message));
  const auto attributes = Attributes::of<ndmsg>(message);
  const Link* const link = link_at(names, header.ndm_ifindex);
  const auto mac = attributes.mac(NDA_LLADDR);
  if (link == nullptr || !mac || header.ndm_family != AF_BRIDGE) return {};
  Fdb fdb{link->name, *mac, {}, (header.ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0};
  if ((header.ndm_flags & NTF_SELF) != 0) {
    if (link->kind != LinkKind::kVxlan) return {};  // a device's own multicast filter
    fdb.vtep = attributes.ip(NDA_DST).value_or(Ip());
    return fdb;
  }
  // Permanent: a port's own MAC, which the bridge keeps.
  if (!link->port || (header.ndm_state & NUD_PERMANENT) != 0) return {};
  return fdb;
}

std::optional<Neigh> parse_neigh(const nlmsghdr* message, const Names& names) {
  const auto& header = *static_cast<const ndmsg*>(nlmsg_data(message));
  const auto attributes = Attributes::of<ndmsg>(message);
  const Link* const link = link_at(names, header.ndm_ifindex);
  const auto ip = attributes.ip(NDA_DST);
  constexpr int kNotAnEntry = NUD_NOARP | NUD_FAILED | NUD_INCOMPLETE;
  if (link == nullptr || link->kind != LinkKind::kVxlan || !ip) return {};
  if (header.ndm_state == NUD_NONE || (header.ndm_state & kNotAnEntry) != 0) return {};
  return Neigh{link->name, *ip, attributes.mac(NDA_LLADDR).value_or(Mac()),
               (header.ndm_state & NUD_PERMANENT) != 0};
}

template <typename Value, typename Parse>
Result<std::vector<Value>> dump_neighbour_table(NetlinkSocket& socket, uint8_t family,
                                                const std::string& action, Parse parse) {
  std::vector<Value> values;
  ndmsg header{};
  header.ndm_family = family;
  Message message(RTM_GETNEIGH, 0, header);
  SHOAL_TRY(socket.dump(
      message, action,
      [&](const nlmsghdr* part) {
        if (part->nlmsg_type != RTM_NEWNEIGH) return;
        if (auto value = parse(part)) values.push_back(std::move(*value));
      },
      [&] { values.clear(); }));
  return values;
}

Result<std::vector<std::pair<int, Prefix>>> dump_addresses(NetlinkSocket& socket) {
  std::vector<std::pair<int, Prefix>> values;
  Message message(RTM_GETADDR, 0, ifaddrmsg{});
  SHOAL_TRY(socket.dump(
      message, "list addresses",
      [&](const nlmsghdr* part) {
        if (part->nlmsg_type != RTM_NEWADDR) return;
        const auto& header = *static_cast<const ifaddrmsg*>(nlmsg_data(part));
        const auto attributes = Attributes::of<ifaddrmsg>(part);
        auto ip = attributes.ip(IFA_LOCAL);
        if (!ip) ip = attributes.ip(IFA_ADDRESS);
        if (ip) {
          values.emplace_back(static_cast<int>(header.ifa_index),
                              Prefix{*ip, header.ifa_prefixlen});
        }
      },
      [&] { values.clear(); }));
  return values;
}

Status dump_routes(NetlinkSocket& socket, const Link& link, std::vector<Route>& routes) {
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    const size_t before = routes.size();
    rtmsg header{};
    header.rtm_family = family;
    header.rtm_table = RT_TABLE_MAIN;
    Message message(RTM_GETROUTE, 0, header);
    message.put_u32(RTA_OIF, static_cast<uint32_t>(link.index));
    SHOAL_TRY(socket.dump(
        message, "list routes",
        [&](const nlmsghdr* part) {
          if (part->nlmsg_type != RTM_NEWROUTE) return;
          const auto& route = *static_cast<const rtmsg*>(nlmsg_data(part));
          const auto attributes = Attributes::of<rtmsg>(part);
          if (route.rtm_table != RT_TABLE_MAIN ||
              attributes.number<int32_t>(RTA_OIF) != link.index) {
            return;
          }
          // A default route has no destination.
          const Ip any = family == AF_INET ? Ip() : Ip::v6({});
          const bool ours = route.rtm_protocol == kRouteProtocol;
          const auto gateway = attributes.ip(RTA_GATEWAY);
          const Prefix destination{attributes.ip(RTA_DST).value_or(any), route.rtm_dst_len};
          // Routes of others through a gateway are no business of ours; nor is one of ours that
          // was changed to another metric, which is put again.
          const auto metric = attributes.number<uint32_t>(RTA_PRIORITY);
          if (gateway && (!ours || metric != kGatewayMetric)) return;
          routes.push_back({link.name, destination, attributes.ip(RTA_PREFSRC), ours, gateway});
        },
        [&] { routes.resize(before); }));
  }
  return ok_status();
}

}  // namespace

Result<std::vector<Link>> dump_links(NetlinkSocket& socket) {
  std::vector<Link> links;
  std::vector<int> masters;
  Message message(RTM_GETLINK, 0, ifinfomsg{});
  message.put_u32(IFLA_EXT_MASK, kSkipStatistics);
  SHOAL_TRY(socket.dump(
      message, "list links",
      [&](const nlmsghdr* part) {
        if (part->nlmsg_type != RTM_NEWLINK) return;
        links.push_back(parse_link(part, masters.emplace_back()));
      },
      [&] {
        links.clear();
        masters.clear();
      }));
  const Names names = index_links(links);
  for (size_t i = 0; i < links.size(); ++i) {
    const Link* const bridge = link_at(names, masters[i]);
    if (links[i].port && bridge != nullptr) links[i].port->bridge = bridge->name;
  }
  return links;
}

Result<NamespaceState> dump_overlay(NetlinkSocket& socket) {
  NamespaceState state;
  state.links = SHOAL_TRY(dump_links(socket));
  const Names names = index_links(state.links);
  state.fdb = SHOAL_TRY(
      dump_neighbour_table<Fdb>(socket, AF_BRIDGE, "list forwarding entries",
                                [&](const nlmsghdr* part) { return parse_fdb(part, names); }));
  state.neighs = SHOAL_TRY(
      dump_neighbour_table<Neigh>(socket, AF_UNSPEC, "list neighbours",
                                  [&](const nlmsghdr* part) { return parse_neigh(part, names); }));
  return state;
}

Result<NamespaceState> dump_inside(NetlinkSocket& socket, const std::string& alias) {
  NamespaceState state;
  state.links = SHOAL_TRY(dump_links(socket));
  const Link* const own = state.find_alias(alias);
  if (own == nullptr) return state;
  for (const auto& [index, prefix] : SHOAL_TRY(dump_addresses(socket))) {
    if (index == own->index && !(prefix.ip.is_v6() && prefix.ip.is_link_local())) {
      state.addresses.push_back({own->name, prefix});
    }
  }
  SHOAL_TRY(dump_routes(socket, *own, state.routes));
  return state;
}

Result<NamespaceState> dump_marked(NetlinkSocket& socket) {
  NamespaceState state;
  state.links = SHOAL_TRY(dump_links(socket));
  const Names names = index_links(state.links);
  for (const auto& [index, prefix] : SHOAL_TRY(dump_addresses(socket))) {
    const Link* const link = link_at(names, index);
    if (link == nullptr || !carries_mark(*link)) continue;
    if (prefix.ip.is_v6() && prefix.ip.is_link_local()) continue;
    state.addresses.push_back({link->name, prefix});
  }
  return state;
}

Result<Link> find_link_with_address(NetlinkSocket& socket, const Ip& ip) {
  for (const auto& [index, prefix] : SHOAL_TRY(dump_addresses(socket))) {
    if (prefix.ip != ip) continue;
    for (Link& link : SHOAL_TRY(dump_links(socket))) {
      if (link.index == index) return std::move(link);
    }
  }
  return not_found("no interface of this host has the address " + ip.str());
}

Result<std::vector<Prefix>> dump_destinations(NetlinkSocket& socket) {
  std::vector<Prefix> values;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    const size_t before = values.size();
    rtmsg header{};
    header.rtm_family = family;
    Message message(RTM_GETROUTE, 0, header);
    SHOAL_TRY(socket.dump(
        message, "list routes",
        [&](const nlmsghdr* part) {
          if (part->nlmsg_type != RTM_NEWROUTE) return;
          const auto& route = *static_cast<const rtmsg*>(nlmsg_data(part));
          const auto attributes = Attributes::of<rtmsg>(part);
          const auto destination = attributes.ip(RTA_DST);
          if (!destination || route.rtm_table != RT_TABLE_MAIN || route.rtm_type != RTN_UNICAST ||
              (route.rtm_flags & RTM_F_CLONED) != 0) {
            return;
          }
          values.push_back(Prefix{*destination, route.rtm_dst_len});
        },
        [&] { values.resize(before); }));
  }
  return values;
}

namespace {

// By name, or by index when that is not 0.
Result<Link> ask_link(NetlinkSocket& socket, const std::string& name, int index, int& master) {
  ifinfomsg header{};
  header.ifi_index = index;
  Message message(RTM_GETLINK, 0, header);
  if (index == 0) message.put_string(IFLA_IFNAME, name);
  message.put_u32(IFLA_EXT_MASK, kSkipStatistics);
  Link link;
  SHOAL_TRY(socket.get(message, "find the link " + name, [&](const nlmsghdr* part) {
    if (part->nlmsg_type == RTM_NEWLINK) link = parse_link(part, master);
  }));
  return link;
}

}  // namespace

Result<Link> get_link(NetlinkSocket& socket, const std::string& name) {
  int master = 0;
  Link link = SHOAL_TRY(ask_link(socket, name, 0, master));
  if (!link.port) return link;
  int ignored = 0;
  const Result<Link> bridge = ask_link(socket, "of the port " + name, master, ignored);
  if (bridge.ok()) link.port->bridge = bridge->name;
  return link;
}

}  // namespace shoal::vxlan
