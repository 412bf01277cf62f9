// The planner against a model kernel: from any state of ours, damaged in any way, one plan leads to
// the desired state and a second plan is empty.
#include "vxlan/plan/plan.h"

#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "vxlan/plan/kernel_model.h"

namespace shoal::vxlan {
namespace {

constexpr int kRuns = 3000;
constexpr int kEndpoints = 3;

Mac mac(int number) { return Mac({2, 0, 0, 0, 0, static_cast<uint8_t>(number)}); }
EndpointId endpoint_id(int number) {
  return EndpointId("end" + std::to_string(number) + std::string(kIdLength - 4, '0'));
}
Ip v4(int third, int last) {
  return Ip::v4({10, 0, static_cast<uint8_t>(third), static_cast<uint8_t>(last)});
}
Ip v6(int third, int last) {
  return Ip::v6({0xfd, static_cast<uint8_t>(third), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                 static_cast<uint8_t>(last)});
}

DesiredEndpoint some_endpoint(Rng& rng, int number, uint32_t mtu) {
  DesiredEndpoint endpoint;
  endpoint.id = endpoint_id(number);
  endpoint.mac = mac(number);
  endpoint.mtu = mtu;
  endpoint.addresses = {{v4(1, 1 + static_cast<int>(rng.below(4))), 24}};
  if (rng.below(2) == 0) endpoint.addresses.push_back({v4(1, 9), 24});
  if (rng.below(2) == 0) endpoint.addresses.push_back({v6(1, 1), 64});
  endpoint.subnets = {{v4(1, 0), 24}, {v6(1, 0), 64}};
  if (rng.below(2) == 0) endpoint.subnets.push_back({v4(2, 0), 24});
  if (rng.below(2) == 0) endpoint.subnets.push_back({v6(2, 0), 64});
  if (rng.below(2) == 0) endpoint.gateways = {v4(1, 254), v6(1, 254)};
  if (rng.below(3) == 0) endpoint.ifname = rng.below(2) == 0 ? "net0" : "eth1";
  return endpoint;
}

DesiredOverlay some_overlay(Rng& rng) {
  DesiredOverlay overlay;
  const NetworkId network(std::string(kIdLength, 'n'));
  overlay.network = network;
  const uint32_t mtu = rng.below(2) == 0 ? 1450 : 8950;
  Link bridge{.name = "br0", .kind = LinkKind::kBridge, .alias = network_alias(network)};
  bridge.mtu = mtu;
  bridge.bridge = BridgeConfig{};
  bridge.inet6 = Inet6Config{};
  Link tunnel{.name = "vxlan0", .kind = LinkKind::kVxlan, .alias = network_alias(network)};
  tunnel.mtu = mtu;
  tunnel.vxlan = VxlanConfig{Vni{4096 + static_cast<uint32_t>(rng.below(2))}, v4(90, 1)};
  tunnel.port = PortConfig{"br0", false, true};
  tunnel.inet6 = Inet6Config{};
  overlay.space.links = {bridge, tunnel};
  for (int number = 20; number < 26; ++number) {
    if (rng.below(3) == 0) continue;
    overlay.space.fdb.push_back({"vxlan0", mac(number), v4(90, static_cast<int>(rng.below(4)))});
    overlay.space.neighs.push_back({"vxlan0", v4(1, number), mac(number)});
    if (rng.below(2) == 0) overlay.space.neighs.push_back({"vxlan0", v6(1, number), mac(number)});
  }
  for (int number = 1; number <= kEndpoints; ++number) {
    if (rng.below(3) != 0) overlay.endpoints.push_back(some_endpoint(rng, number, mtu));
  }
  return overlay;
}

// One overlay namespace, and an endpoint namespace for each endpoint.
struct Host {
  KernelModel overlay;  // its `inside` is swapped in for the endpoint that is worked on
  std::map<EndpointId, NamespaceState> insides;

  // What the data plane does in a full pass; returns the number of ops.
  size_t pass(const DesiredOverlay& desired) {
    const Plan plan = plan_overlay(desired, overlay.overlay, Prune::kYes);
    // Ports of endpoints that go take their other ends along.
    for (const Op& op : plan) {
      const auto* const removal = std::get_if<DeleteLink>(&op.action);
      for (auto& [id, inside] : insides) {
        if (removal == nullptr || removal->name != port_name(id)) continue;
        std::swap(overlay.inside, inside);
        overlay.apply({op});
        std::swap(overlay.inside, inside);
      }
    }
    const NamespaceState before = overlay.overlay;
    overlay.apply(plan);
    size_t ops = plan.size();
    for (const DesiredEndpoint& endpoint : desired.endpoints) {
      NamespaceState& inside = insides[endpoint.id];
      if (inside.links.empty()) {
        inside.links.push_back(
            {.name = "lo", .kind = LinkKind::kLoopback, .up = false, .index = 1});
      }
      std::swap(overlay.inside, inside);
      // The plan is made from what was seen before the overlay's own plan, as the data plane does.
      const Result<Plan> own = plan_endpoint(endpoint, {before, overlay.inside});
      EXPECT_TRUE(own.ok());
      overlay.apply(*own);
      ops += own->size();
      check(endpoint);
      std::swap(overlay.inside, inside);
    }
    return ops;
  }

  void check(const DesiredEndpoint& endpoint) {
    const Link* const port = overlay.overlay.find(port_name(endpoint.id));
    const Link* const link = overlay.inside.find_alias(endpoint_alias(endpoint.id));
    ASSERT_NE(port, nullptr);
    ASSERT_NE(link, nullptr);
    EXPECT_TRUE(port->up && link->up);
    EXPECT_EQ(port->peer_index, link->index);
    EXPECT_EQ(link->peer_index, port->index);
    EXPECT_EQ(link->mac, endpoint.mac);
    EXPECT_EQ(link->mtu, endpoint.mtu);
    EXPECT_EQ(port->port, (PortConfig{"br0", false, false}));
    if (!endpoint.ifname.empty()) {
      EXPECT_EQ(link->name, endpoint.ifname);
    }
    std::vector<Prefix> addresses;
    for (const Address& address : overlay.inside.addresses) {
      if (address.link == link->name) addresses.push_back(address.prefix);
    }
    EXPECT_THAT_SET(addresses, endpoint.addresses);
    for (const Prefix& subnet : endpoint.subnets) {
      bool reachable = subnet.ip.is_v6() && endpoint.addresses.back().ip.is_v4();
      for (const Prefix& address : addresses) reachable |= address.contains(subnet);
      for (const Route& route : overlay.inside.routes) reachable |= route.destination == subnet;
      EXPECT_TRUE(reachable) << subnet.str();
    }
    EXPECT_NE(std::count(overlay.overlay.fdb.begin(), overlay.overlay.fdb.end(),
                         Fdb{port->name, endpoint.mac, {}}),
              0);
  }

  template <typename T>
  static void EXPECT_THAT_SET(std::vector<T> a, std::vector<T> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    EXPECT_TRUE(a == b);
  }

  void check_space(const DesiredOverlay& desired) {
    std::vector<Fdb> remote;
    for (const Fdb& fdb : overlay.overlay.fdb) {
      if (fdb.vtep) remote.push_back(fdb);
    }
    EXPECT_THAT_SET(remote, desired.space.fdb);
    EXPECT_THAT_SET(overlay.overlay.neighs, desired.space.neighs);
    for (Link link : desired.space.links) {
      const Link* const found = overlay.overlay.find(link.name);
      ASSERT_NE(found, nullptr);
      link.index = found->index;
      EXPECT_EQ(*found, link);
    }
    EXPECT_EQ(overlay.overlay.links.size(),
              desired.space.links.size() + desired.endpoints.size() + foreign);
  }

  void damage(Rng& rng) {
    auto& space = overlay.overlay;
    const auto any = [&](auto& values) -> auto& { return values[rng.below(values.size())]; };
    switch (rng.below(12)) {
      case 0:
        if (!space.links.empty()) remove(any(space.links));
        break;
      case 1:
        if (!space.fdb.empty()) space.fdb.erase(space.fdb.begin());
        break;
      case 2:
        if (!space.neighs.empty()) any(space.neighs).mac = mac(99);
        break;
      case 3:
        if (!space.links.empty()) overlay.set_down(Place::kOverlay, any(space.links));
        break;
      case 4:
        if (!space.links.empty()) overlay.unplug(any(space.links));
        break;
      case 5:
        if (!space.fdb.empty() && any(space.fdb).vtep) space.fdb[0].is_static = false;
        break;
      case 6:
        if (space.find("vxlan0") != nullptr) space.fdb.push_back({"vxlan0", mac(98), v4(90, 9)});
        break;
      case 7:
        if (!space.links.empty()) any(space.links).alias = "";
        break;
      case 8:
        if (!space.links.empty()) any(space.links).mtu = 600;
        break;
      default:
        damage_inside(rng);
    }
  }

  void damage_inside(Rng& rng) {
    if (insides.empty()) return;
    NamespaceState& inside =
        std::next(insides.begin(), static_cast<int>(rng.below(insides.size())))->second;
    std::swap(overlay.inside, inside);
    Link& link = overlay.inside.links[rng.below(overlay.inside.links.size())];
    switch (rng.below(6)) {
      case 0:
        overlay.set_down(Place::kEndpoint, link);
        break;
      case 1:
        if (link.kind == LinkKind::kVeth) link.mac = mac(97);
        break;
      case 2:
        overlay.inside.addresses.clear();
        break;
      case 3:
        if (link.kind == LinkKind::kVeth) {
          overlay.inside.addresses.push_back({link.name, {v4(1, 77), 24}});
        }
        break;
      case 4:
        overlay.inside.routes.clear();
        break;
      default:
        if (link.kind == LinkKind::kVeth) overlay.remove(Place::kEndpoint, link.index);
    }
    std::swap(overlay.inside, inside);
  }

  // With its other end, which is in an endpoint's namespace.
  void remove(const Link& link) {
    const int index = link.index;
    for (auto& [id, inside] : insides) {
      if (link.name != port_name(id)) continue;
      std::swap(overlay.inside, inside);
      overlay.remove(Place::kOverlay, index);
      std::swap(overlay.inside, inside);
      return;
    }
    overlay.remove(Place::kOverlay, index);
  }

  size_t foreign = 0;
};

TEST(PlanProperty, OnePlanRepairsAnyDamageAndTheNextIsEmpty) {
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    Host host;
    for (int step = 0; step < 3; ++step) {
      const DesiredOverlay desired = some_overlay(rng);
      for (uint64_t count = rng.below(4); count > 0; --count) host.damage(rng);
      // A link that lost its alias and a name of its own is not known as ours any more.
      const bool unmarked =
          std::any_of(host.overlay.overlay.links.begin(), host.overlay.overlay.links.end(),
                      [](const Link& l) { return !carries_mark(l); });
      if (unmarked) break;
      host.pass(desired);
      host.check_space(desired);
      EXPECT_EQ(host.pass(desired), 0U);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(PlanOverlay, RemovesNothingBeforeTheStateIsComplete) {
  SeededRng rng(1);
  Host host;
  const DesiredOverlay full = some_overlay(rng);
  host.pass(full);
  DesiredOverlay nothing = full;
  nothing.space.fdb.clear();
  nothing.space.neighs.clear();
  nothing.endpoints.clear();
  EXPECT_TRUE(plan_overlay(nothing, host.overlay.overlay, Prune::kNo).empty());
  EXPECT_FALSE(plan_overlay(nothing, host.overlay.overlay, Prune::kYes).empty());
}

TEST(PlanOverlay, LeavesForeignLinksAlone) {
  SeededRng rng(2);
  Host host;
  const DesiredOverlay desired = some_overlay(rng);
  host.pass(desired);
  host.overlay.overlay.links.push_back({.name = "tap0", .index = 900});
  host.overlay.overlay.links.push_back({.name = "vethfoo", .kind = LinkKind::kVeth, .index = 901});
  EXPECT_TRUE(plan_overlay(desired, host.overlay.overlay, Prune::kYes).empty());
}

TEST(PlanOverlay, AVtepIsKnownBeforeAnAddressPointsAtItAndForgottenAfter) {
  SeededRng rng(3);
  DesiredOverlay desired = some_overlay(rng);
  desired.endpoints.clear();
  desired.space.fdb = {{"vxlan0", mac(50), v4(90, 5)}};
  desired.space.neighs = {{"vxlan0", v4(1, 50), mac(50)}};
  KernelModel kernel;
  const auto order = [](const Plan& plan) {
    std::string text;
    for (const Op& op : plan) {
      if (std::holds_alternative<PutFdb>(op.action)) text += "F";
      if (std::holds_alternative<PutNeigh>(op.action)) text += "N";
      if (std::holds_alternative<DeleteFdb>(op.action)) text += "f";
      if (std::holds_alternative<DeleteNeigh>(op.action)) text += "n";
    }
    return text;
  };
  const Plan set_up = plan_overlay(desired, kernel.overlay, Prune::kYes);
  EXPECT_EQ(order(set_up), "FN");
  kernel.apply(set_up);
  desired.space.fdb.clear();
  desired.space.neighs.clear();
  EXPECT_EQ(order(plan_overlay(desired, kernel.overlay, Prune::kYes)), "nf");
}

TEST(PlanEndpoint, ANameInUseIsRefusedAndNamed) {
  SeededRng rng(4);
  DesiredEndpoint endpoint = some_endpoint(rng, 1, 1450);
  endpoint.ifname = "net0";
  ObservedEndpoint observed;
  observed.inside.links = {{.name = "net0", .index = 5}};
  const auto plan = plan_endpoint(endpoint, observed);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorClass::kAlreadyExists);
  EXPECT_NE(plan.error().message.find("net0"), std::string::npos);
  EXPECT_NE(plan.error().message.find("--ifname"), std::string::npos);
}

TEST(PlanEndpoint, ThePortOpensLast) {
  SeededRng rng(5);
  const DesiredEndpoint endpoint = some_endpoint(rng, 1, 1450);
  const auto plan = plan_endpoint(endpoint, {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(explain(plan->back()), "set veend1000000: up");
}

TEST(Explain, SaysWhatAnOpDoes) {
  EXPECT_EQ(explain({Place::kOverlay, PutFdb{{"vxlan0", mac(5), v4(90, 7)}}}),
            "point 02:00:00:00:00:05 at 10.0.90.7 (vxlan0)");
  EXPECT_EQ(explain({Place::kOverlay, DeleteNeigh{{"vxlan0", v4(1, 7), mac(5)}}}),
            "no longer answer for 10.0.1.7 (vxlan0)");
}

}  // namespace
}  // namespace shoal::vxlan
