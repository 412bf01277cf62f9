// Networks of the host against the model kernel, whose overlay namespace plays the host's.
#include "vxlan/plan/plan_host.h"

#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "vxlan/plan/kernel_model.h"
#include "vxlan/plan/plan.h"

namespace shoal::vxlan {
namespace {

constexpr int kRuns = 2000;
const NetworkId kNetwork("abcdefghijklmnopqrstuvwxy");
const Prefix kGateway4{Ip::v4({172, 18, 0, 1}), 16};
const Prefix kGateway6{Ip::v6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 64};

DesiredHostNetwork network(const std::string& name = bridge_name(kNetwork)) {
  DesiredHostNetwork desired;
  desired.network = kNetwork;
  desired.bridge.name = name;
  desired.bridge.kind = LinkKind::kBridge;
  desired.bridge.alias = network_alias(kNetwork);
  desired.bridge.mac = bridge_mac(kNetwork);
  desired.bridge.mtu = 1500;
  desired.bridge.inet6 = Inet6Config{};
  desired.addresses = {kGateway4, kGateway6};
  return desired;
}

void expect_whole(const DesiredHostNetwork& desired, const NamespaceState& host) {
  const Link* const bridge = host.find(desired.bridge.name);
  ASSERT_NE(bridge, nullptr);
  EXPECT_EQ(bridge->alias, desired.bridge.alias);
  EXPECT_EQ(bridge->mac, desired.bridge.mac);
  EXPECT_TRUE(bridge->up);
  for (const Prefix& address : desired.addresses) {
    EXPECT_EQ(
        std::count(host.addresses.begin(), host.addresses.end(), Address{bridge->name, address}), 1)
        << address.str();
  }
  EXPECT_TRUE(plan_host_network(desired, host)->empty());
}

TEST(PlanHost, NamesAndMacsAreTheNetworksOwn) {
  EXPECT_EQ(bridge_name(kNetwork), "br-abcdefghijkl");
  EXPECT_EQ(bridge_mac(kNetwork), bridge_mac(kNetwork));
  EXPECT_NE(bridge_mac(kNetwork), bridge_mac(NetworkId("bbcdefghijklmnopqrstuvwxy")));
}

TEST(PlanHost, FromAnyDamageToTheWholeBridge) {
  SeededRng rng(7);
  for (int run = 0; run < kRuns; ++run) {
    SCOPED_TRACE(run);
    const DesiredHostNetwork desired = rng.below(2) == 0 ? network() : network("frontend0");
    KernelModel kernel;
    const Plan making = *plan_host_network(desired, kernel.overlay);
    // Its maker died on the way, or not.
    const size_t done = rng.below(making.size() + 1);
    kernel.apply({making.begin(), making.begin() + static_cast<std::ptrdiff_t>(done)});
    Link* const bridge = kernel.find(Place::kOverlay, desired.bridge.name);
    if (bridge != nullptr && rng.below(2) == 0) bridge->mtu = 9000;
    if (bridge != nullptr && rng.below(2) == 0) bridge->mac = Mac({2, 9, 9, 9, 9, 9});
    if (bridge != nullptr && rng.below(3) == 0) kernel.set_down(Place::kOverlay, *bridge);
    if (rng.below(3) == 0) kernel.overlay.addresses.clear();
    if (bridge != nullptr && desired.bridge.name == bridge_name(kNetwork) && rng.below(4) == 0) {
      bridge->alias.clear();
    }
    kernel.apply(*plan_host_network(desired, kernel.overlay));
    expect_whole(desired, kernel.overlay);
  }
}

TEST(PlanHost, ABridgeThatWasRenamedIsMadeAnew) {
  KernelModel kernel;
  kernel.apply(*plan_host_network(network(), kernel.overlay));
  kernel.find(Place::kOverlay, bridge_name(kNetwork))->name = "mine";
  kernel.overlay.addresses.clear();
  kernel.apply(*plan_host_network(network(), kernel.overlay));
  expect_whole(network(), kernel.overlay);
  EXPECT_EQ(kernel.overlay.find("mine"), nullptr);
}

TEST(PlanHost, AnInterfaceOfAnotherIsNeverTaken) {
  KernelModel kernel;
  kernel.add(Place::kOverlay, {.name = "docker0", .kind = LinkKind::kBridge});
  const auto plan = plan_host_network(network("docker0"), kernel.overlay);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorClass::kAlreadyExists);
  EXPECT_NE(plan.error().message.find("docker0"), std::string::npos);
}

TEST(PlanHost, LeftoversAreOursByAliasOnly) {
  KernelModel kernel;
  kernel.apply(*plan_host_network(network(), kernel.overlay));
  // Docker's bridges are named like ours.
  kernel.add(Place::kOverlay, {.name = "br-0123456789ab", .kind = LinkKind::kBridge});
  EXPECT_TRUE(plan_host_leftovers({bridge_name(kNetwork)}, kernel.overlay).empty());
  kernel.apply(plan_host_leftovers({}, kernel.overlay));
  ASSERT_EQ(kernel.overlay.links.size(), 1U);
  EXPECT_EQ(kernel.overlay.links[0].name, "br-0123456789ab");
}

TEST(PlanHost, AnEndpointOnTheBridgeHasItsGatewaysAndNoForwardingEntry) {
  KernelModel kernel;
  kernel.apply(*plan_host_network(network(), kernel.overlay));
  DesiredEndpoint endpoint;
  endpoint.id = EndpointId("eeeeeeeeeeeeeeeeeeeeeeeee");
  endpoint.mac = Mac({2, 0, 0, 0, 0, 7});
  endpoint.mtu = 1500;
  endpoint.addresses = {{Ip::v4({172, 18, 0, 2}), 16}, {kGateway6.ip.plus(1), 64}};
  endpoint.port = PortConfig{bridge_name(kNetwork), true, true, true};
  endpoint.port_inet6 = Inet6Config{true, false};
  endpoint.gateways = {kGateway4.ip, kGateway6.ip};
  kernel.apply(*plan_endpoint(endpoint, kernel.observe()));
  EXPECT_TRUE(plan_endpoint(endpoint, kernel.observe())->empty());
  const Link* const port = kernel.overlay.find(port_name(endpoint.id));
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->port, endpoint.port);
  EXPECT_EQ(port->inet6, endpoint.port_inet6);
  EXPECT_TRUE(kernel.overlay.fdb.empty());
  ASSERT_EQ(kernel.inside.routes.size(), 2U);
  EXPECT_EQ(kernel.inside.routes[0].gateway, kGateway4.ip);
  EXPECT_EQ(kernel.inside.routes[1].destination.str(), "::/0");
  // Another endpoint of the namespace is the way out now.
  endpoint.gateways.clear();
  kernel.apply(*plan_endpoint(endpoint, kernel.observe()));
  EXPECT_TRUE(kernel.inside.routes.empty());
}

}  // namespace
}  // namespace shoal::vxlan
