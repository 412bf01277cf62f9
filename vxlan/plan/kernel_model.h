// KernelModel: a small kernel for tests of the planner. It holds one overlay namespace and one
// endpoint namespace, applies ops with the kernel's refusals and side effects (what goes with a
// link that is removed, what a link that goes down forgets), and fails the test on an op that a
// kernel would refuse.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "vxlan/plan/op.h"

namespace shoal::vxlan {

class KernelModel {
 public:
  NamespaceState overlay;
  NamespaceState inside;

  void apply(const Plan& plan) {
    for (const Op& op : plan) {
      SCOPED_TRACE(explain(op));
      std::visit([&](const auto& action) { run(op.place, action); }, op.action);
    }
  }
  ObservedEndpoint observe() const { return {overlay, inside}; }
  Link* find(Place place, const std::string& name) {
    return const_cast<Link*>(at(place).find(name));
  }
  NamespaceState& at(Place place) { return place == Place::kOverlay ? overlay : inside; }

  void remove(Place place, int index) {
    const Link* const link = at(place).find_index(index);
    if (link == nullptr) return;
    const int peer = link->peer_index;
    const std::string name = link->name;
    NamespaceState& space = at(place);
    std::erase_if(space.links, [&](const Link& each) { return each.index == index; });
    const auto on = [&](const auto& entry) { return entry.link == name; };
    std::erase_if(space.fdb, on);
    std::erase_if(space.neighs, on);
    std::erase_if(space.addresses, on);
    std::erase_if(space.routes, on);
    for (Link& other : space.links) {
      if (other.port && other.port->bridge == name) unplug(other);
    }
    if (peer != 0) remove(place == Place::kOverlay ? Place::kEndpoint : Place::kOverlay, peer);
  }
  // Off its bridge, which forgets what it knew of the port.
  void unplug(Link& link) {
    link.port.reset();
    std::erase_if(overlay.fdb, [&](const Fdb& fdb) { return fdb.link == link.name && !fdb.vtep; });
  }
  void set_down(Place place, Link& link) {
    link.up = false;
    const auto on = [&](const auto& entry) { return entry.link == link.name; };
    std::erase_if(at(place).neighs, on);
    std::erase_if(at(place).routes, on);
    std::erase_if(at(place).addresses, [&](const Address& address) {
      return address.link == link.name && address.prefix.ip.is_v6();
    });
  }
  // As the kernel makes a link: down, with its own defaults.
  Link& add(Place place, Link link) {
    EXPECT_EQ(at(place).find(link.name), nullptr) << link.name << " exists";
    link.index = next_index_++;
    link.alias.clear();
    link.up = false;
    link.port.reset();
    at(place).links.push_back(std::move(link));
    return at(place).links.back();
  }

 private:
  void run(Place, const CreateBridge& op) {
    Link& made = add(Place::kOverlay, op.link);
    made.mtu = 1500;
    made.inet6 = Inet6Config{};
  }
  void run(Place, const CreateVxlan& op) {
    Link& made = add(Place::kOverlay, op.link);
    made.mtu = 1450;
    made.inet6 = Inet6Config{};
  }
  void run(Place, const CreateVethPair& op) {
    Link port = op.port;
    port.mac = Mac({2, 9, 9, 9, 9, 9});
    port.inet6 = Inet6Config{};
    const int port_index = add(Place::kOverlay, port).index;
    Link inside_end = op.inside;
    inside_end.inet6 = Inet6Config{false, true};
    Link& made = add(Place::kEndpoint, inside_end);
    made.peer_index = port_index;
    find(Place::kOverlay, op.port.name)->peer_index = made.index;
  }
  void run(Place place, const DeleteLink& op) {
    const Link* const link = at(place).find_index(op.index);
    if (link != nullptr) {
      EXPECT_TRUE(carries_mark(*link)) << "not ours";
    }
    remove(place, op.index);
  }
  void run(Place place, const SetLink& op) {
    Link* const link =
        op.index != 0 ? const_cast<Link*>(at(place).find_index(op.index)) : find(place, op.name);
    ASSERT_NE(link, nullptr);
    if (op.rename) {
      EXPECT_FALSE(link->up) << "renamed while up";
      EXPECT_EQ(at(place).find(*op.rename), nullptr) << "the name is taken";
      for (Address& address : at(place).addresses) {
        if (address.link == link->name) address.link = *op.rename;
      }
      link->name = *op.rename;
    }
    if (op.alias) link->alias = *op.alias;
    if (op.mac) link->mac = *op.mac;
    if (op.mtu) link->mtu = *op.mtu;
    if (op.bridge) link->bridge = op.bridge;
    if (op.inet6) link->inet6 = op.inet6;
    if (op.port) {
      EXPECT_NE(at(place).find(op.port->bridge), nullptr) << "no such bridge";
      if (!link->port || link->port->bridge != op.port->bridge) unplug(*link);
      link->port = op.port;
    }
    if (op.up && *op.up) link->up = true;
    if (op.up && !*op.up) set_down(place, *link);
  }
  void run(Place, const PutFdb& op) {
    const Link* const link = overlay.find(op.fdb.link);
    ASSERT_NE(link, nullptr);
    EXPECT_TRUE(op.fdb.vtep || link->port) << "not a port";
    std::erase_if(overlay.fdb, [&](const Fdb& fdb) {
      // A bridge knows a MAC at one port.
      return fdb.mac == op.fdb.mac && fdb.vtep.has_value() == op.fdb.vtep.has_value();
    });
    overlay.fdb.push_back(op.fdb);
  }
  void run(Place, const DeleteFdb& op) {
    std::erase_if(overlay.fdb, [&](const Fdb& fdb) { return fdb == op.fdb; });
  }
  void run(Place, const PutNeigh& op) {
    ASSERT_NE(overlay.find(op.neigh.link), nullptr);
    std::erase_if(overlay.neighs, [&](const Neigh& neigh) {
      return neigh.link == op.neigh.link && neigh.ip == op.neigh.ip;
    });
    overlay.neighs.push_back(op.neigh);
  }
  void run(Place, const DeleteNeigh& op) {
    std::erase_if(overlay.neighs, [&](const Neigh& neigh) { return neigh == op.neigh; });
  }
  void run(Place place, const PutAddress& op) {
    const Link* const link = at(place).find(op.address.link);
    ASSERT_NE(link, nullptr);
    if (op.address.prefix.ip.is_v6()) {
      EXPECT_FALSE(link->inet6->disabled) << "IPv6 is off";
    }
    auto& addresses = at(place).addresses;
    if (std::find(addresses.begin(), addresses.end(), op.address) == addresses.end()) {
      addresses.push_back(op.address);
    }
  }
  // An IPv4 address takes the later ones of its subnet along.
  void run(Place place, const DeleteAddress& op) {
    auto& addresses = at(place).addresses;
    const auto found = std::find(addresses.begin(), addresses.end(), op.address);
    if (found == addresses.end()) return;
    const Prefix gone = found->prefix;
    const auto later = addresses.erase(found);
    addresses.erase(std::remove_if(later, addresses.end(),
                                   [&](const Address& other) {
                                     return gone.ip.is_v4() && other.link == op.address.link &&
                                            other.prefix.length == gone.length &&
                                            other.prefix.network() == gone.network();
                                   }),
                    addresses.end());
  }
  void run(Place place, const PutRoute& op) {
    const Link* const link = at(place).find(op.route.link);
    ASSERT_NE(link, nullptr);
    EXPECT_TRUE(link->up) << "a route needs a link that is up";
    std::erase_if(at(place).routes,
                  [&](const Route& route) { return route.destination == op.route.destination; });
    at(place).routes.push_back(op.route);
  }
  void run(Place place, const DeleteRoute& op) {
    std::erase_if(at(place).routes, [&](const Route& route) { return route == op.route; });
  }

  int next_index_ = 2;
};

}  // namespace shoal::vxlan
