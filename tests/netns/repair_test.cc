// Drift is repaired, restarts adopt, wipes are rebuilt.
#include <filesystem>

#include "tests/netns/lab.h"
#include "tests/netns/probe.h"
#include "vxlan/model/model.h"

namespace shoal::testing {
namespace {

constexpr std::chrono::seconds kRepairTime{5};
constexpr std::chrono::milliseconds kQuick{200};

// Two hosts; e1 and e3 on the first, e2 on the second.
class Pair {
 public:
  Pair() : topology(lab) {
    network = topology.add_network(1, {"10.0.1.0/24", "fd01::/64"});
    e1 = topology.add_endpoint(1, 1, network, {"10.0.1.1/24", "fd01::1/64"});
    e2 = topology.add_endpoint(2, 2, network, {"10.0.1.2/24", "fd01::2/64"});
    e3 = topology.add_endpoint(3, 1, network, {"10.0.1.3/24", "fd01::3/64"});
    topology.apply(2);
  }
  ::testing::AssertionResult all_reachable() const {
    for (const std::string target : {"10.0.1.2", "10.0.1.3", "fd01::2", "fd01::3"}) {
      if (ping(lab.space("e1"), ip(target), 84, kQuick)) continue;
      return ::testing::AssertionFailure() << "e1 does not reach " << target;
    }
    return ::testing::AssertionSuccess();
  }
  // A new data plane on host 1 that finds nothing to do has found everything as it should be.
  size_t ops_of_a_fresh_start() {
    lab.stop(1);
    worker::DataPlane& fresh = lab.start(1);
    const worker::PassResult result = set_state(fresh, topology.state_of(1));
    for (const auto& [id, error] : result.endpoint_errors) ADD_FAILURE() << error.message;
    return result.ops;
  }

  Lab lab{2};
  Topology topology;
  NetworkId network;
  EndpointId e1, e2, e3;
};

struct Damage {
  const char* name;
  bool inside;  // in e1's namespace; else in host 1's overlay namespace
  const char* command;
  bool cuts = true;  // traffic stops until it is repaired
};

class Repair : public ::testing::TestWithParam<Damage> {};

TEST_P(Repair, IsDoneWithinFiveSeconds) {
  Pair pair;
  ASSERT_TRUE(pair.all_reachable());
  const Damage& damage = GetParam();
  if (damage.inside) {
    pair.lab.in("e1", damage.command);
  } else {
    pair.lab.in_overlay(1, pair.network, damage.command);
  }
  EXPECT_TRUE(eventually([&] { return pair.lab.repairs(1) > 0; }, kRepairTime));
  EXPECT_TRUE(eventually([&] { return bool(pair.all_reachable()); }, kRepairTime));
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
  EXPECT_TRUE(pair.all_reachable());
}

INSTANTIATE_TEST_SUITE_P(
    After, Repair,
    ::testing::Values(
        Damage{"VxlanRemoved", false, "ip link del vxlan0"},
        Damage{"BridgeRemoved", false, "ip link del br0"},
        Damage{"VxlanDown", false, "ip link set vxlan0 down"},
        Damage{"BridgeDown", false, "ip link set br0 down"},
        Damage{"PortRemoved", false, "ip link del veend1x00000"},
        Damage{"PortUnplugged", false, "ip link set veend1x00000 nomaster"},
        Damage{"PortDown", false, "ip link set veend1x00000 down"},
        Damage{"FdbRemoved", false,
               "bridge fdb del 02:00:00:00:00:02 dev vxlan0 self dst 192.168.90.12"},
        Damage{"FdbPointedElsewhere", false,
               "bridge fdb replace 02:00:00:00:00:02 dev vxlan0 self dst 192.168.90.77"},
        Damage{"FdbAdded", false,
               "bridge fdb append 00:00:00:00:00:00 dev vxlan0 self dst 192.168.90.12"},
        Damage{"NeighRemoved", false, "ip neigh del 10.0.1.2 dev vxlan0"},
        Damage{"NeighChanged", false,
               "ip neigh replace 10.0.1.2 dev vxlan0 lladdr 02:00:00:00:00:99 nud permanent"},
        Damage{"LocalFdbRemoved", false,
               "bridge fdb del 02:00:00:00:00:01 dev veend1x00000 master"},
        Damage{"LearningOn", false, "bridge link set dev vxlan0 learning on"},
        Damage{"InterfaceRemoved", true, "ip link del eth0"},
        Damage{"InterfaceDown", true, "ip link set eth0 down"},
        Damage{"AddressesFlushed", true, "ip addr flush dev eth0"},
        Damage{"MacChanged", true, "ip link set eth0 address 02:00:00:00:00:77"},
        Damage{"MtuChanged", true, "ip link set eth0 mtu 1400"},
        Damage{"AliasRemoved", true, "ip link set eth0 alias other"}),
    [](const auto& info) { return info.param.name; });

TEST(AdoptionTest, ARestartChangesNothingAndFlowsGoOn) {
  Pair pair;
  TcpFlow flow(pair.lab.space("e1"), pair.lab.space("e2"), ip("10.0.1.2"));
  ASSERT_TRUE(flow.carry(1U << 20));
  const auto links = [&] {
    return pair.lab.in_overlay(1, pair.network, "ip -j link") + pair.lab.in("e1", "ip -j link");
  };
  const std::string before = links();
  pair.lab.stop(1);
  EXPECT_TRUE(flow.carry(1U << 20)) << "traffic needs no daemon";
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
  EXPECT_EQ(links(), before);
  EXPECT_TRUE(flow.carry(1U << 20));
}

TEST(AdoptionTest, NothingIsRemovedBeforeACompleteState) {
  Pair pair;
  worker::WorkerState state = pair.topology.state_of(1);
  pair.lab.stop(1);
  worker::DataPlane& fresh = pair.lab.start(1);
  state.complete = false;
  state.remote.clear();
  std::erase_if(state.local, [&](const auto& endpoint) { return endpoint.id != pair.e3; });
  EXPECT_EQ(set_state(fresh, state).ops, 0U);
  EXPECT_TRUE(pair.all_reachable());
  state.networks.clear();
  state.local.clear();
  EXPECT_EQ(set_state(fresh, state).ops, 0U);
  EXPECT_TRUE(pair.all_reachable());
  state.complete = true;
  set_state(fresh, state);
  EXPECT_FALSE(pair.all_reachable());
  EXPECT_FALSE(std::filesystem::exists(pair.lab.overlay_path(1, pair.network)));
}

TEST(AdoptionTest, AHalfMadeEndpointIsCompleted) {
  Pair pair;
  pair.lab.stop(1);
  // As if we had been killed between two steps of attaching e1: the pair is born, nothing else.
  pair.lab.in_overlay(1, pair.network, "ip link del veend1x00000");
  pair.lab.in_overlay(
      1, pair.network,
      "ip link add veend1x00000 type veth peer name vpend1x00000 netns " + pair.lab.path("e1"));
  worker::DataPlane& fresh = pair.lab.start(1);
  EXPECT_GT(set_state(fresh, pair.topology.state_of(1)).ops, 0U);
  EXPECT_TRUE(pair.all_reachable());
  EXPECT_EQ(pair.lab.in("e1", "ip -br link | wc -l"), "2\n");
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
}

TEST(WipeTest, AnUnmountedNamespaceIsMountedAgainWithoutACut) {
  Pair pair;
  TcpFlow flow(pair.lab.space("e1"), pair.lab.space("e2"), ip("10.0.1.2"));
  const std::string path = pair.lab.overlay_path(1, pair.network);
  const auto before = vxlan::identify(path);
  sh("umount " + path);
  try_sh("rm " + path);  // busy when the repair was quicker
  ASSERT_TRUE(eventually(
      [&] {
        const auto now = vxlan::identify(path);
        return now.ok() && *now == *before;
      },
      kRepairTime));
  EXPECT_TRUE(flow.carry(1U << 20));
}

TEST(WipeTest, AHostWipedWhileTheDaemonWasDownIsRebuilt) {
  Pair pair;
  pair.lab.stop(1);
  sh("umount " + pair.lab.overlay_path(1, pair.network));
  worker::DataPlane& fresh = pair.lab.start(1);
  // The kernel takes the old namespace apart in its own time; the VNI is free after that.
  EXPECT_TRUE(eventually(
      [&] { return set_state(fresh, pair.topology.state_of(1)).endpoint_errors.empty(); }));
  EXPECT_TRUE(pair.all_reachable());
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
}

TEST(WipeTest, AllLinksRemovedAtOnceAreRebuilt) {
  Pair pair;
  sh("nsenter --net=" + pair.lab.overlay_path(1, pair.network) +
     " sh -c 'ip link del veend1x00000; ip link del veend3x00000; ip link del vxlan0; ip link del "
     "br0'");
  EXPECT_TRUE(eventually([&] { return bool(pair.all_reachable()); }, kRepairTime));
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
}

TEST(RepairTest, TheUnderlaysMtuIsFollowed) {
  Pair pair;
  pair.lab.in("h1", "ip link set eth0 mtu 9000");
  EXPECT_TRUE(eventually(
      [&] {
        return pair.lab.in("e1", "ip -j link show eth0").find("\"mtu\":8950") != std::string::npos;
      },
      kRepairTime));
}

TEST(RepairTest, AnotherDataPathPortIsTakenUp) {
  Pair pair;
  for (int host = 1; host <= 2; ++host) {
    pair.lab.stop(host);
    worker::DataPlane& plane = pair.lab.start(host);
    worker::WorkerState state = pair.topology.state_of(host);
    ASSERT_EQ(set_state(plane, state).ops, 0U);
    state.data_path_port = 4790;
    EXPECT_TRUE(set_state(plane, state).endpoint_errors.empty());
  }
  EXPECT_TRUE(pair.all_reachable());
  EXPECT_NE(pair.lab.in_overlay(1, pair.network, "ip -d link show vxlan0").find("dstport 4790"),
            std::string::npos);
}

TEST(RepairTest, WhatIsNotOursIsLeftAlone) {
  Pair pair;
  pair.lab.in_overlay(1, pair.network, "ip link add foreign type bridge");
  pair.lab.in("e1", "ip link add foreign type bridge");
  pair.lab.in("e1", "ip addr add 172.31.0.1/24 dev eth0");
  pair.lab.in("h1", "ip link add svx type bridge");
  EXPECT_EQ(pair.ops_of_a_fresh_start(), 0U);
  pair.lab.in_overlay(1, pair.network, "ip link show foreign");
  pair.lab.in("e1", "ip link show foreign");
  EXPECT_NE(pair.lab.in("e1", "ip addr show eth0").find("172.31.0.1/24"), std::string::npos);
}

}  // namespace
}  // namespace shoal::testing
