#include <algorithm>

#include "vxlan/plan/link_change.h"
#include "vxlan/plan/plan.h"

namespace shoal::vxlan {
namespace {

class EndpointPlanner {
 public:
  EndpointPlanner(const DesiredEndpoint& desired, const ObservedEndpoint& observed)
      : desired_(desired), observed_(observed) {
    port_.name = port_name(desired.id);
    port_.kind = LinkKind::kVeth;
    port_.alias = endpoint_alias(desired.id);
    port_.mtu = desired.mtu;
    port_.port = desired.port;
    port_.inet6 = desired.port_inet6;
    inside_.kind = LinkKind::kVeth;
    inside_.alias = port_.alias;
    inside_.mac = desired.mac;
    inside_.mtu = desired.mtu;
    const bool has_v6 = std::any_of(desired.addresses.begin(), desired.addresses.end(),
                                    [](const Prefix& address) { return address.ip.is_v6(); });
    // Without an IPv6 address the link has no use for IPv6, and makes no noise. Routers are never
    // listened to: any endpoint of the network could pose as one.
    inside_.inet6 = Inet6Config{!has_v6, false};
  }

  Result<Plan> run() {
    pick_pair();
    inside_.name = SHOAL_TRY(choose_name());
    if (pair_made_) {
      make_pair();
    } else {
      SetLink change = link_change(inside_, *old_inside_);
      if (old_inside_->name != inside_.name) change.rename = inside_.name;
      if (!change.empty()) add(Place::kEndpoint, std::move(change));
    }
    plan_addresses();
    raise_inside();
    plan_routes();
    open_port();
    return std::move(plan_);
  }

 private:
  template <typename Action>
  void add(Place place, Action action) {
    plan_.push_back({place, std::move(action)});
  }

  bool is_own(const Link& link) const {
    return link.kind == LinkKind::kVeth &&
           (link.alias == inside_.alias || link.name == making_name(desired_.id));
  }

  bool is_peer(const Link& link) const {
    return old_port_ != nullptr && old_port_->kind == LinkKind::kVeth &&
           link.kind == LinkKind::kVeth && old_port_->peer_index == link.index &&
           link.peer_index == old_port_->index;
  }

  // The old pair is kept when both ends are there and are each other's; anything else of ours is
  // removed and the pair made anew. An interface that is up cannot be renamed on every kernel, so
  // one with the wrong name is made anew too.
  void pick_pair() {
    old_port_ = observed_.overlay.find(port_.name);
    for (const Link& link : observed_.inside.links) {
      if (!is_own(link)) continue;
      const bool named = !desired_.ifname.empty() && link.name != desired_.ifname && link.up;
      if (is_peer(link) && !named) {
        old_inside_ = &link;
      } else {
        removed_.push_back(link.name);
        add(Place::kEndpoint, DeleteLink{link.name, link.index});
      }
    }
    if (old_inside_ != nullptr) return;
    // The port takes its other end along, also one that lost its mark.
    for (const Link& link : observed_.inside.links) {
      if (is_peer(link)) removed_.push_back(link.name);
    }
    if (old_port_ != nullptr) add(Place::kOverlay, DeleteLink{old_port_->name, old_port_->index});
    old_port_ = nullptr;
    pair_made_ = true;
  }

  const Link* foreign(const std::string& name) const {
    const Link* const link = observed_.inside.find(name);
    const bool removed = std::find(removed_.begin(), removed_.end(), name) != removed_.end();
    return link == old_inside_ || removed ? nullptr : link;
  }

  Result<std::string> choose_name() const {
    if (!desired_.ifname.empty()) {
      if (foreign(desired_.ifname) != nullptr) {
        return already_exists("interface " + desired_.ifname +
                              " already exists in that namespace: choose another with --ifname");
      }
      return desired_.ifname;
    }
    if (old_inside_ != nullptr && old_inside_->name != making_name(desired_.id)) {
      return old_inside_->name;
    }
    for (size_t number = 0;; ++number) {
      const std::string name = desired_.ifname_prefix + std::to_string(number);
      if (foreign(name) == nullptr) return name;
    }
  }

  void make_pair() {
    Link newborn = inside_;
    newborn.name = making_name(desired_.id);
    add(Place::kOverlay, CreateVethPair{port_, newborn});
    SetLink change{.name = newborn.name, .rename = inside_.name, .alias = inside_.alias};
    change.inet6 = inside_.inet6;
    add(Place::kEndpoint, std::move(change));
  }

  bool of_network(const Prefix& prefix) const {
    return std::any_of(desired_.subnets.begin(), desired_.subnets.end(),
                       [&](const Prefix& subnet) { return subnet.contains(prefix.ip); });
  }

  // Addresses of the network that are not (any more) leased go first: an IPv4 address takes those
  // with it that the kernel counts as secondary to it. What else a workload gave itself stays.
  void plan_addresses() {
    const auto wanted = [&](const Prefix& prefix) {
      return std::find(desired_.addresses.begin(), desired_.addresses.end(), prefix) !=
             desired_.addresses.end();
    };
    std::vector<Prefix> kept;
    bool removed_any = false;
    if (!pair_made_) {
      for (const Address& address : observed_.inside.addresses) {
        if (address.link != old_inside_->name) continue;
        if (wanted(address.prefix)) {
          kept.push_back(address.prefix);
        } else if (of_network(address.prefix)) {
          add(Place::kEndpoint, DeleteAddress{{inside_.name, address.prefix}});
          removed_any = true;
        }
      }
    }
    for (const Prefix& address : desired_.addresses) {
      const bool there = std::find(kept.begin(), kept.end(), address) != kept.end();
      if (!there || (removed_any && address.ip.is_v4())) {
        add(Place::kEndpoint, PutAddress{{inside_.name, address}});
      }
    }
  }

  void raise_inside() {
    const auto& links = observed_.inside.links;
    const auto loopback = std::find_if(links.begin(), links.end(), [](const Link& link) {
      return link.kind == LinkKind::kLoopback;
    });
    if (loopback != links.end() && !loopback->up) {
      add(Place::kEndpoint, SetLink{.name = loopback->name, .index = loopback->index, .up = true});
    }
    if (pair_made_ || !old_inside_->up) {
      add(Place::kEndpoint, SetLink{.name = inside_.name, .up = true});
    }
  }

  std::vector<Route> desired_routes() const {
    std::vector<Route> routes;
    for (const Prefix& subnet : desired_.subnets) {
      const bool connected =
          std::any_of(desired_.addresses.begin(), desired_.addresses.end(),
                      [&](const Prefix& own) { return own.network().contains(subnet); });
      const auto source =
          std::find_if(desired_.addresses.begin(), desired_.addresses.end(),
                       [&](const Prefix& own) { return own.ip.family() == subnet.ip.family(); });
      if (connected || source == desired_.addresses.end()) continue;
      routes.push_back({inside_.name, subnet.network(), source->ip});
    }
    for (const Ip& gateway : desired_.gateways) {
      const Prefix all{gateway.is_v4() ? Ip() : Ip::v6({}), 0};
      routes.push_back({.link = inside_.name, .destination = all, .gateway = gateway});
    }
    return routes;
  }

  void plan_routes() {
    const std::vector<Route> wanted = desired_routes();
    std::vector<Route> seen;
    if (!pair_made_) {
      for (Route route : observed_.inside.routes) {
        if (route.link != old_inside_->name || !route.ours) continue;
        route.link = inside_.name;
        seen.push_back(std::move(route));
      }
    }
    for (const Route& route : seen) {
      if (std::find(wanted.begin(), wanted.end(), route) == wanted.end()) {
        add(Place::kEndpoint, DeleteRoute{route});
      }
    }
    for (const Route& route : wanted) {
      if (std::find(seen.begin(), seen.end(), route) == seen.end()) {
        add(Place::kEndpoint, PutRoute{route});
      }
    }
  }

  // Last of all: from here on frames flow.
  void open_port() {
    if (pair_made_) {
      SetLink change = whole_change(port_);
      // An overlay namespace's defaults are those of a port already.
      if (desired_.port_inet6 != Inet6Config{}) change.inet6 = desired_.port_inet6;
      add(Place::kOverlay, std::move(change));
    } else {
      SetLink change = link_change(port_, *old_port_);
      if (!change.empty()) add(Place::kOverlay, std::move(change));
    }
    if (!desired_.port.learning) put_entry();
    if (old_port_ == nullptr || !old_port_->up) {
      add(Place::kOverlay, SetLink{.name = port_.name, .up = true});
    }
  }

  void put_entry() {
    const Fdb entry{port_.name, desired_.mac, {}};
    const auto& fdb = observed_.overlay.fdb;
    const bool bridged = old_port_ != nullptr && old_port_->port == port_.port;
    if (!bridged || std::find(fdb.begin(), fdb.end(), entry) == fdb.end()) {
      add(Place::kOverlay, PutFdb{entry});
    }
  }

  const DesiredEndpoint& desired_;
  const ObservedEndpoint& observed_;
  Link port_;
  Link inside_;
  const Link* old_port_ = nullptr;
  const Link* old_inside_ = nullptr;
  bool pair_made_ = false;
  std::vector<std::string> removed_;
  Plan plan_;
};

}  // namespace

Result<Plan> plan_endpoint(const DesiredEndpoint& desired, const ObservedEndpoint& observed) {
  return EndpointPlanner(desired, observed).run();
}

Plan plan_remove_endpoint(const EndpointId& endpoint, const NamespaceState& overlay) {
  const Link* const port = overlay.find(port_name(endpoint));
  if (port == nullptr) return {};
  return {{Place::kOverlay, DeleteLink{port->name, port->index}}};
}

}  // namespace shoal::vxlan
