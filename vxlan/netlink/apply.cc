#include "vxlan/netlink/apply.h"

#include <net/if.h>
#include <netinet/in.h>
//
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>
#include <map>

#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/errno_error.h"

namespace shoal::vxlan {
namespace {

constexpr int kReplace = NLM_F_CREATE | NLM_F_REPLACE;
constexpr int kCreate = NLM_F_CREATE | NLM_F_EXCL;

// Entries of one table fail together, for one reason.
constexpr size_t kToldFailures = 5;

// A failure of removing what is gone already.
bool already_gone(int error) {
  return error == ENOENT || error == ENODEV || error == ESRCH || error == EADDRNOTAVAIL;
}

// Of a table entry, whose link may have gone and taken it along.
bool is_removal(const Op& op) {
  return std::holds_alternative<DeleteFdb>(op.action) ||
         std::holds_alternative<DeleteNeigh>(op.action) ||
         std::holds_alternative<DeleteAddress>(op.action) ||
         std::holds_alternative<DeleteRoute>(op.action);
}

uint8_t family_of(const Ip& ip) { return ip.is_v4() ? AF_INET : AF_INET6; }

class Applier {
 public:
  explicit Applier(const Places& places) : places_(places) {}

  Status operator()(Place, const CreateBridge& op) {
    Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
    message.put_string(IFLA_IFNAME, op.link.name);
    message.nest(IFLA_LINKINFO, [&] {
      message.put_string(IFLA_INFO_KIND, "bridge");
      message.nest(IFLA_INFO_DATA, [&] {
        message.put_u32(IFLA_BR_STP_STATE, 0);
        message.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
      });
    });
    return places_.overlay->request(message, "make the bridge " + op.link.name);
  }

  Status operator()(Place, const CreateVxlan& op) {
    const VxlanConfig& config = *op.link.vxlan;
    // Sent in the host namespace, made in the overlay's: the underlay socket stays in the host's.
    Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
    message.put_string(IFLA_IFNAME, op.link.name);
    message.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(places_.overlay_space->get()));
    message.nest(IFLA_LINKINFO, [&] {
      message.put_string(IFLA_INFO_KIND, "vxlan");
      message.nest(IFLA_INFO_DATA, [&] {
        message.put_u32(IFLA_VXLAN_ID, config.vni.value);
        message.put_ip(config.local.is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, config.local);
        message.put_u16(IFLA_VXLAN_PORT, htons(config.port));
        message.put_u8(IFLA_VXLAN_LEARNING, config.learning ? 1 : 0);
        message.put_u8(IFLA_VXLAN_PROXY, config.proxy ? 1 : 0);
        message.put_u8(IFLA_VXLAN_DF, static_cast<uint8_t>(config.df));
      });
    });
    const std::string what = "make the VXLAN device of VNI " + std::to_string(config.vni.value) +
                             " on " + config.local.str() + " port " + std::to_string(config.port);
    const Status made = places_.host->request(message, what);
    if (!made.ok() && made.error().code == ErrorClass::kAlreadyExists) {
      return conflict(
          "cannot " + what +
          ": this host has a VXLAN device with that VNI and port already (of another "
          "program, or one that is going away); remove it, or init the cluster with another "
          "--data-path-port");
    }
    return made;
  }

  Status operator()(Place, const CreateVethPair& op) {
    Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
    message.put_string(IFLA_IFNAME, op.port.name);
    message.put_u32(IFLA_MTU, op.port.mtu);
    message.nest(IFLA_LINKINFO, [&] {
      message.put_string(IFLA_INFO_KIND, "veth");
      message.nest(IFLA_INFO_DATA, [&] {
        message.nest(VETH_INFO_PEER, [&] {
          message.append_header(ifinfomsg{});
          message.put_string(IFLA_IFNAME, op.inside.name);
          message.put_u32(IFLA_MTU, op.inside.mtu);
          message.put_mac(IFLA_ADDRESS, op.inside.mac);
          message.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(places_.endpoint_space->get()));
        });
      });
    });
    return places_.overlay->request(message, "make the veth pair " + op.port.name);
  }

  Status operator()(Place place, const DeleteLink& op) {
    ifinfomsg header{};
    header.ifi_index = op.index;
    Message message(RTM_DELLINK, 0, header);
    // The name is looked up when the link was made by this very plan.
    if (op.index == 0) message.put_string(IFLA_IFNAME, op.name);
    indices_.erase({place, op.name});
    const Status done = socket(place).request(message, "remove the link " + op.name);
    if (!done.ok() && done.error().code == ErrorClass::kNotFound) return ok_status();
    return done;
  }

  Status operator()(Place place, const SetLink& op) {
    ifinfomsg header{};
    header.ifi_index = op.index != 0 ? op.index : SHOAL_TRY(index_of(place, op.name));
    const std::string& name = op.rename ? *op.rename : op.name;
    if (op.rename || op.alias || op.mac || op.mtu || op.port || op.up || op.bridge) {
      if (op.up) {
        header.ifi_change = IFF_UP;
        header.ifi_flags = *op.up ? IFF_UP : 0;
      }
      Message message(RTM_NEWLINK, 0, header);
      if (op.rename) message.put_string(IFLA_IFNAME, *op.rename);
      if (op.alias) message.put_string(IFLA_IFALIAS, *op.alias);
      if (op.mac) message.put_mac(IFLA_ADDRESS, *op.mac);
      if (op.mtu) message.put_u32(IFLA_MTU, *op.mtu);
      if (op.port) {
        const int bridge = SHOAL_TRY(index_of(place, op.port->bridge));
        message.put_u32(IFLA_MASTER, static_cast<uint32_t>(bridge));
      }
      if (op.bridge) put_bridge(message, *op.bridge);
      const Status done = socket(place).request(message, "set up the link " + name);
      if (!done.ok()) return explain_link(place, op, done.error());
      if (op.rename) {
        indices_.erase({place, op.name});
        indices_[{place, *op.rename}] = header.ifi_index;
      }
    }
    if (op.port) SHOAL_TRY(set_port(place, header.ifi_index, name, *op.port));
    if (op.inet6) SHOAL_TRY(set_inet6(place, name, *op.inet6));
    return ok_status();
  }

  // Table entries: queued, and sent by flush().
  Status operator()(Place place, const PutFdb& op) {
    return queue_fdb(place, op.fdb, RTM_NEWNEIGH, kReplace);
  }
  Status operator()(Place place, const DeleteFdb& op) {
    return queue_fdb(place, op.fdb, RTM_DELNEIGH, 0);
  }
  Status operator()(Place place, const PutNeigh& op) {
    return queue_neigh(place, op.neigh, RTM_NEWNEIGH, kReplace);
  }
  Status operator()(Place place, const DeleteNeigh& op) {
    return queue_neigh(place, op.neigh, RTM_DELNEIGH, 0);
  }
  Status operator()(Place place, const PutAddress& op) {
    return queue_address(place, op.address, RTM_NEWADDR, kReplace);
  }
  Status operator()(Place place, const DeleteAddress& op) {
    return queue_address(place, op.address, RTM_DELADDR, 0);
  }
  Status operator()(Place place, const PutRoute& op) {
    return queue_route(place, op.route, RTM_NEWROUTE, kReplace);
  }
  Status operator()(Place place, const DeleteRoute& op) {
    return queue_route(place, op.route, RTM_DELROUTE, 0);
  }

  // Sends what is queued. Failures go to `errors`, told with what the op was.
  void flush(ErrorList& errors) {
    if (queue_.empty()) return;
    const std::vector<int> results = socket(queue_place_).batch(queue_);
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i] == 0 || (is_removal(*queued_ops_[i]) && already_gone(results[i]))) continue;
      if (++failures_ <= kToldFailures) {
        errors.add(errno_error(results[i], explain(*queued_ops_[i])));
      }
    }
    queue_.clear();
    queued_ops_.clear();
  }

  // Table entries that were refused; only the first few are among the errors.
  size_t failures() const { return failures_; }

  // Remembers which op a message just queued came from.
  void note(const Op& op) {
    if (queue_.size() > queued_ops_.size()) queued_ops_.push_back(&op);
  }
  // Links change only after what was queued before them.
  bool must_flush_before(const Op& op) const {
    return op.place != queue_place_ || std::holds_alternative<CreateBridge>(op.action) ||
           std::holds_alternative<CreateVxlan>(op.action) ||
           std::holds_alternative<CreateVethPair>(op.action) ||
           std::holds_alternative<SetLink>(op.action) ||
           std::holds_alternative<DeleteLink>(op.action);
  }

 private:
  NetlinkSocket& socket(Place place) {
    return place == Place::kOverlay ? *places_.overlay : *places_.endpoint;
  }

  // A VXLAN device takes its UDP port in the host namespace when it is set up.
  Error explain_link(Place place, const SetLink& op, const Error& error) {
    if (error.code != ErrorClass::kAlreadyExists || op.up != true || op.rename) return error;
    const auto link = get_link(socket(place), op.name);
    if (!link.ok() || !link->vxlan) return error;
    const std::string port = std::to_string(link->vxlan->port) + "/udp";
    return already_exists("port " + port +
                          " (data path) is taken by another program on this host, or by a VXLAN "
                          "device of another kind: stop or remove that (`ss -anu` and `ip -d link` "
                          "show it), or init the cluster with another --data-path-port");
  }

  Result<int> index_of(Place place, const std::string& name) {
    const auto found = indices_.find({place, name});
    if (found != indices_.end()) return found->second;
    const Link link = SHOAL_TRY(get_link(socket(place), name));
    indices_[{place, name}] = link.index;
    return link.index;
  }

  static void put_bridge(Message& message, const BridgeConfig& config) {
    message.nest(IFLA_LINKINFO, [&] {
      message.put_string(IFLA_INFO_KIND, "bridge");
      message.nest(IFLA_INFO_DATA, [&] {
        message.put_u32(IFLA_BR_STP_STATE, config.stp ? 1 : 0);
        message.put_u8(IFLA_BR_MCAST_SNOOPING, config.multicast_snooping ? 1 : 0);
      });
    });
  }

  Status set_port(Place place, int index, const std::string& name, const PortConfig& config) {
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = index;
    Message message(RTM_SETLINK, 0, header);
    message.nest(IFLA_PROTINFO | NLA_F_NESTED, [&] {
      message.put_u8(IFLA_BRPORT_LEARNING, config.learning ? 1 : 0);
      message.put_u8(IFLA_BRPORT_UNICAST_FLOOD, config.unicast_flood ? 1 : 0);
      message.put_u8(IFLA_BRPORT_ISOLATED, config.isolated ? 1 : 0);
      message.put_u8(IFLA_BRPORT_MODE, config.hairpin ? 1 : 0);
    });
    return socket(place).request(message, "set up the bridge port " + name);
  }

  Status set_inet6(Place place, const std::string& name, const Inet6Config& config) {
    const NamespaceFd& space =
        place == Place::kOverlay ? *places_.overlay_space : *places_.endpoint_space;
    return run_in_namespace(space, [&]() -> Status {
      const std::string keys = "net/ipv6/conf/" + name + "/";
      SHOAL_TRY(write_sysctl(keys + "disable_ipv6", config.disabled ? "1" : "0", true));
      return write_sysctl(keys + "accept_ra", config.accept_ra ? "1" : "0", true);
    });
  }

  Status push(Place place, Message message) {
    queue_place_ = place;
    queue_.push_back(std::move(message));
    return ok_status();
  }

  Status queue_fdb(Place place, const Fdb& fdb, uint16_t type, int flags) {
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = SHOAL_TRY(index_of(place, fdb.link));
    // Not permanent on the bridge: that would mean an address of the bridge itself.
    header.ndm_state = fdb.vtep ? NUD_NOARP | NUD_PERMANENT : NUD_NOARP;
    header.ndm_flags = fdb.vtep ? NTF_SELF : NTF_MASTER;
    Message message(type, flags, header);
    message.put_mac(NDA_LLADDR, fdb.mac);
    if (fdb.vtep) message.put_ip(NDA_DST, *fdb.vtep);
    return push(place, std::move(message));
  }

  Status queue_neigh(Place place, const Neigh& neigh, uint16_t type, int flags) {
    ndmsg header{};
    header.ndm_family = family_of(neigh.ip);
    header.ndm_ifindex = SHOAL_TRY(index_of(place, neigh.link));
    header.ndm_state = NUD_PERMANENT;
    Message message(type, flags, header);
    message.put_ip(NDA_DST, neigh.ip);
    if (type == RTM_NEWNEIGH) message.put_mac(NDA_LLADDR, neigh.mac);
    return push(place, std::move(message));
  }

  Status queue_address(Place place, const Address& address, uint16_t type, int flags) {
    const Prefix& prefix = address.prefix;
    ifaddrmsg header{};
    header.ifa_family = family_of(prefix.ip);
    header.ifa_prefixlen = prefix.length;
    header.ifa_index = static_cast<unsigned>(SHOAL_TRY(index_of(place, address.link)));
    // No duplicate address detection: the lease makes the address unique, and it would hold up
    // traffic for a second.
    if (prefix.ip.is_v6()) header.ifa_flags = IFA_F_NODAD;
    Message message(type, flags, header);
    message.put_ip(IFA_LOCAL, prefix.ip);
    message.put_ip(IFA_ADDRESS, prefix.ip);
    if (prefix.ip.is_v4() && prefix.length < 31) message.put_ip(IFA_BROADCAST, prefix.last());
    return push(place, std::move(message));
  }

  Status queue_route(Place place, const Route& route, uint16_t type, int flags) {
    rtmsg header{};
    header.rtm_family = family_of(route.destination.ip);
    header.rtm_dst_len = route.destination.length;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = kRouteProtocol;
    header.rtm_scope =
        route.destination.ip.is_v4() && !route.gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    header.rtm_type = RTN_UNICAST;
    Message message(type, flags, header);
    if (route.destination.length > 0) message.put_ip(RTA_DST, route.destination.ip);
    if (route.gateway) {
      message.put_ip(RTA_GATEWAY, *route.gateway);
      message.put_u32(RTA_PRIORITY, kGatewayMetric);
    }
    message.put_u32(RTA_OIF, static_cast<uint32_t>(SHOAL_TRY(index_of(place, route.link))));
    if (route.source) message.put_ip(RTA_PREFSRC, *route.source);
    return push(place, std::move(message));
  }

  const Places& places_;
  std::map<std::pair<Place, std::string>, int> indices_;
  std::vector<Message> queue_;
  std::vector<const Op*> queued_ops_;
  Place queue_place_ = Place::kOverlay;
  size_t failures_ = 0;
};

}  // namespace

Status apply(const Plan& plan, const Places& places) {
  Applier applier(places);
  ErrorList errors;
  for (const Op& op : plan) {
    if (applier.must_flush_before(op)) applier.flush(errors);
    const Status done =
        std::visit([&](const auto& action) { return applier(op.place, action); }, op.action);
    if (!done.ok()) {
      if (is_removal(op) && done.error().code == ErrorClass::kNotFound) continue;
      errors.add(done.error());
      break;
    }
    applier.note(op);
  }
  applier.flush(errors);
  if (errors.empty()) return ok_status();
  Error error = errors.join();
  if (applier.failures() > kToldFailures) {
    error.message += "; and " + std::to_string(applier.failures() - kToldFailures) + " more";
  }
  return error;
}

namespace {

Status delete_link(NetlinkSocket& socket, const Link& link) {
  ifinfomsg header{};
  header.ifi_index = link.index;
  Message message(RTM_DELLINK, 0, header);
  const Status done = socket.request(message, "remove the link " + link.name);
  if (!done.ok() && done.error().code == ErrorClass::kNotFound) return ok_status();
  return done;
}

}  // namespace

Status delete_marked_links(NetlinkSocket& overlay) {
  ErrorList errors;
  for (const Link& link : SHOAL_TRY(dump_links(overlay))) {
    if (!carries_mark(link)) continue;
    const Status done = delete_link(overlay, link);
    if (!done.ok()) errors.add(done.error());
  }
  if (!errors.empty()) return errors.join();
  return ok_status();
}

Result<bool> delete_link_with_alias(NetlinkSocket& socket, const std::string& alias) {
  for (const Link& link : SHOAL_TRY(dump_links(socket))) {
    if (link.alias != alias) continue;
    SHOAL_TRY(delete_link(socket, link));
    return true;
  }
  return false;
}

}  // namespace shoal::vxlan
