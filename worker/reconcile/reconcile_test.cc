#include "worker/reconcile/reconcile.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace shoal::worker {
namespace {

const NetworkId kNetwork("n111111111111111111111111");
const NetworkId kOther("n222222222222222222222222");
const EndpointId kFirst("e111111111111111111111111");
const EndpointId kSecond("e222222222222222222222222");

Mac mac(uint8_t last) { return Mac({2, 0, 0, 0, 0, last}); }
Ip v4(uint8_t last) { return Ip::v4({10, 0, 1, last}); }
Ip vtep(uint8_t last) { return Ip::v4({192, 0, 2, last}); }

LocalEndpoint local(const EndpointId& id, uint8_t number) {
  LocalEndpoint endpoint;
  endpoint.id = id;
  endpoint.network = kNetwork;
  endpoint.addresses = {{v4(number), 24}};
  endpoint.mac = mac(number);
  return endpoint;
}

WorkerState state_with(std::vector<LocalEndpoint> endpoints) {
  WorkerState state;
  state.data_path_address = vtep(1);
  OverlayNetwork network;
  network.id = kNetwork;
  network.name = "red";
  network.vni = Vni{4096};
  network.subnets = {{v4(0), 24}};
  state.networks = {network};
  state.local = std::move(endpoints);
  return state;
}

TEST(OverlayMtu, IsTheUnderlaysWithoutTheOuterHeaders) {
  EXPECT_EQ(overlay_mtu(1500, vtep(1)), 1450U);
  EXPECT_EQ(overlay_mtu(1500, *Ip::parse("2001:db8::1")), 1430U);
  EXPECT_EQ(overlay_mtu(40, vtep(1)), 0U);
}

TEST(Reconcile, AnOverlayIsMadeOnlyWhereAnEndpointIs) {
  WorkerState state = state_with({});
  state.remote = {{kNetwork, {v4(9)}, mac(9), vtep(2)}};
  EXPECT_TRUE(reconcile(state, 1500).overlays.empty());
  state.local = {local(kFirst, 1)};
  const Reconciled result = reconcile(state, 1500);
  ASSERT_EQ(result.overlays.size(), 1U);
  const auto& overlay = result.overlays[0];
  EXPECT_EQ(overlay.space.fdb, (std::vector<vxlan::Fdb>{{"vxlan0", mac(9), vtep(2)}}));
  EXPECT_EQ(overlay.space.neighs, (std::vector<vxlan::Neigh>{{"vxlan0", v4(9), mac(9)}}));
  const vxlan::Link* const tunnel = overlay.space.find("vxlan0");
  ASSERT_NE(tunnel, nullptr);
  EXPECT_EQ(tunnel->mtu, 1450U);
  EXPECT_EQ(tunnel->vxlan->vni.value, 4096U);
  EXPECT_EQ(tunnel->vxlan->local, vtep(1));
  EXPECT_FALSE(tunnel->vxlan->learning);
  EXPECT_FALSE(tunnel->vxlan->has_default_destination);
  ASSERT_EQ(overlay.endpoints.size(), 1U);
  EXPECT_EQ(overlay.endpoints[0].mtu, 1450U);
}

TEST(Reconcile, TheMtuOptionMeansTheUnderlay) {
  WorkerState state = state_with({local(kFirst, 1)});
  state.underlay_mtu = 9000;
  EXPECT_EQ(reconcile(state, 1500).overlays[0].endpoints[0].mtu, 8950U);
  state.networks[0].underlay_mtu = 1400;
  EXPECT_EQ(reconcile(state, 1500).overlays[0].endpoints[0].mtu, 1350U);
}

TEST(Reconcile, ALocalEndpointWinsOverAStaleRemoteOne) {
  WorkerState state = state_with({local(kFirst, 1)});
  state.remote = {{kNetwork, {v4(1)}, mac(1), vtep(2)},  // the same MAC: moved here
                  {kNetwork, {v4(1)}, mac(5), vtep(2)},  // the same address
                  {kNetwork, {v4(7)}, mac(7), vtep(1)},  // at this very host
                  {kNetwork, {v4(8)}, mac(8), vtep(2)}};
  const Reconciled result = reconcile(state, 1500);
  const auto& space = result.overlays[0].space;
  EXPECT_EQ(space.neighs, (std::vector<vxlan::Neigh>{{"vxlan0", v4(8), mac(8)}}));
  EXPECT_EQ(space.fdb,
            (std::vector<vxlan::Fdb>{{"vxlan0", mac(5), vtep(2)}, {"vxlan0", mac(8), vtep(2)}}));
  EXPECT_EQ(result.problems.size(), 2U);
}

TEST(Reconcile, HostileRemoteEndpointsAreLeftOutWithReasons) {
  WorkerState state = state_with({local(kFirst, 1)});
  state.remote = {{kNetwork, {v4(2)}, mac(2), *Ip::parse("2001:db8::2")},
                  {kNetwork, {v4(3)}, Mac({1, 0, 0, 0, 0, 3}), vtep(2)},
                  {kNetwork, {v4(4)}, Mac(), vtep(2)},
                  {kNetwork, {v4(5)}, mac(5), Ip()},
                  {kNetwork, {v4(6)}, mac(6), Ip::v4({239, 0, 0, 1})},
                  {kOther, {v4(7)}, mac(7), vtep(2)}};
  const Reconciled result = reconcile(state, 1500);
  EXPECT_TRUE(result.overlays[0].space.fdb.empty());
  EXPECT_TRUE(result.overlays[0].space.neighs.empty());
  EXPECT_EQ(result.problems.size(), 5U);
}

TEST(Reconcile, OneWrongEndpointDoesNotHoldUpTheOther) {
  WorkerState state = state_with({local(kFirst, 1), local(kSecond, 2)});
  state.local[1].mac = mac(1);
  Reconciled result = reconcile(state, 1500);
  EXPECT_EQ(result.overlays[0].endpoints.size(), 1U);
  ASSERT_TRUE(result.endpoint_errors.contains(kSecond));
  EXPECT_NE(result.endpoint_errors.at(kSecond).message.find("two owners"), std::string::npos);
  state.local[1] = local(kSecond, 2);
  state.local[1].network = kOther;
  result = reconcile(state, 1500);
  EXPECT_EQ(result.endpoint_errors.at(kSecond).code, ErrorClass::kNotFound);
}

TEST(Reconcile, ATooSmallUnderlayIsRefusedInWords) {
  WorkerState state = state_with({local(kFirst, 1), local(kSecond, 2)});
  state.local[1].addresses.push_back({*Ip::parse("fd01::2"), 64});
  const Reconciled result = reconcile(state, 1300);
  EXPECT_FALSE(result.endpoint_errors.contains(kFirst));
  ASSERT_TRUE(result.endpoint_errors.contains(kSecond));
  EXPECT_NE(result.endpoint_errors.at(kSecond).message.find("1280"), std::string::npos);
}

TEST(Reconcile, OtherDriversAreNotTheDataPlanes) {
  WorkerState state = state_with({local(kFirst, 1)});
  state.networks[0].driver = "bridge";
  const Reconciled result = reconcile(state, 1500);
  EXPECT_TRUE(result.overlays.empty());
  EXPECT_TRUE(result.endpoint_errors.contains(kFirst));
}

}  // namespace
}  // namespace shoal::worker
