#include "vxlan/plan/op.h"

namespace shoal::vxlan {
namespace {

std::string field(const char* name, const std::string& value) {
  return std::string(" ") + name + " " + value;
}

std::string on_off(bool value) { return value ? "on" : "off"; }

struct Explainer {
  std::string operator()(const CreateBridge& op) const { return "make the bridge " + op.link.name; }
  std::string operator()(const CreateVxlan& op) const {
    const VxlanConfig& config = *op.link.vxlan;
    return "make the VXLAN device " + op.link.name + " (VNI " + std::to_string(config.vni.value) +
           ", local " + config.local.str() + ", port " + std::to_string(config.port) + ")";
  }
  std::string operator()(const CreateVethPair& op) const {
    return "make the veth pair " + op.port.name + " - " + op.inside.name + " (MAC " +
           op.inside.mac.str() + ", MTU " + std::to_string(op.inside.mtu) + ")";
  }
  std::string operator()(const DeleteLink& op) const { return "remove the link " + op.name; }
  std::string operator()(const SetLink& op) const {
    std::string text = "set " + op.name + ":";
    if (op.rename) text += field("name", *op.rename);
    if (op.alias) text += field("alias", *op.alias);
    if (op.mac) text += field("MAC", op.mac->str());
    if (op.mtu) text += field("MTU", std::to_string(*op.mtu));
    if (op.bridge) text += field("stp", on_off(op.bridge->stp));
    if (op.bridge) text += field("multicast snooping", on_off(op.bridge->multicast_snooping));
    if (op.port) {
      text += field("bridge", op.port->bridge) + field("learning", on_off(op.port->learning)) +
              field("unicast flood", on_off(op.port->unicast_flood));
      if (op.port->isolated) text += " isolated";
      if (op.port->hairpin) text += " hairpin";
    }
    if (op.inet6) {
      text += field("IPv6", on_off(!op.inet6->disabled)) +
              field("router advertisements", on_off(op.inet6->accept_ra));
    }
    if (op.up) text += *op.up ? " up" : " down";
    return text;
  }
  std::string operator()(const PutFdb& op) const {
    return "point " + op.fdb.mac.str() + " at " + target(op.fdb);
  }
  std::string operator()(const DeleteFdb& op) const {
    return "forget that " + op.fdb.mac.str() + " is at " + target(op.fdb);
  }
  std::string operator()(const PutNeigh& op) const {
    return "answer for " + op.neigh.ip.str() + " with " + op.neigh.mac.str() + " (" +
           op.neigh.link + ")";
  }
  std::string operator()(const DeleteNeigh& op) const {
    return "no longer answer for " + op.neigh.ip.str() + " (" + op.neigh.link + ")";
  }
  std::string operator()(const PutAddress& op) const {
    return "add the address " + op.address.prefix.str() + " to " + op.address.link;
  }
  std::string operator()(const DeleteAddress& op) const {
    return "remove the address " + op.address.prefix.str() + " from " + op.address.link;
  }
  std::string operator()(const PutRoute& op) const {
    return "add the route to " + op.route.destination.str() + way(op.route);
  }
  std::string operator()(const DeleteRoute& op) const {
    return "remove the route to " + op.route.destination.str() + way(op.route);
  }

 private:
  static std::string way(const Route& route) {
    return (route.gateway ? " through " + route.gateway->str() : "") + " by " + route.link;
  }
  static std::string target(const Fdb& fdb) {
    return fdb.vtep ? fdb.vtep->str() + " (" + fdb.link + ")" : "port " + fdb.link;
  }
};

}  // namespace

std::string explain(const Op& op) { return std::visit(Explainer{}, op.action); }

}  // namespace shoal::vxlan
