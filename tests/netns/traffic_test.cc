// Real packets through real overlays: both families inside and outside, sizes, isolation.
#include <algorithm>

#include "base/runtime/log.h"
#include "tests/netns/lab.h"
#include "tests/netns/probe.h"

namespace shoal::testing {
namespace {

class Traffic : public ::testing::TestWithParam<Family> {};

TEST_P(Traffic, FlowsBetweenHostsAndOnOneHostInBothFamilies) {
  Lab lab(2);
  Topology topology(lab, GetParam());
  const NetworkId network = topology.add_network(1, {"10.0.1.0/24", "fd01::/64"});
  topology.add_endpoint(1, 1, network, {"10.0.1.1/24", "fd01::1/64"});
  topology.add_endpoint(2, 2, network, {"10.0.1.2/24", "fd01::2/64"});
  topology.add_endpoint(3, 1, network, {"10.0.1.3/24", "fd01::3/64"});
  topology.apply(2);
  const auto& e1 = lab.space("e1");
  for (const std::string stem : {"10.0.1.", "fd01::"}) {
    for (const std::string peer : {"2", "3"}) {
      const Ip target = ip(stem + peer);
      EXPECT_TRUE(ping(e1, target)) << target.str();
      EXPECT_TRUE(udp_echo(e1, lab.space("e" + peer), target, 9, 9)) << target.str();
      EXPECT_TRUE(TcpFlow(e1, lab.space("e" + peer), target).carry(4U << 20)) << target.str();
    }
    EXPECT_TRUE(ping(lab.space("e2"), ip(stem + "1")));
    EXPECT_TRUE(ping(lab.space("e2"), ip(stem + "3")));
  }
}

TEST_P(Traffic, PacketsUpToTheMtuPassWholeAndLargerOnesAreRefused) {
  Lab lab(2);
  Topology topology(lab, GetParam());
  const NetworkId network = topology.add_network(1, {"10.0.1.0/24", "fd01::/64"});
  topology.add_endpoint(1, 1, network, {"10.0.1.1/24", "fd01::1/64"});
  topology.add_endpoint(2, 2, network, {"10.0.1.2/24", "fd01::2/64"});
  topology.apply(2);
  const size_t mtu = GetParam() == Family::kV4 ? 1450 : 1430;
  for (const std::string target : {"10.0.1.2", "fd01::2"}) {
    EXPECT_TRUE(ping(lab.space("e1"), ip(target), mtu)) << target;
    EXPECT_FALSE(ping(lab.space("e1"), ip(target), mtu + 1, std::chrono::milliseconds(200)))
        << target;
  }
  EXPECT_NE(lab.in("e1", "ip -j link show eth0").find("\"mtu\":" + std::to_string(mtu)),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Underlay, Traffic, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& info) {
                           return info.param == Family::kV4 ? "V4Underlay" : "V6Underlay";
                         });

TEST(TrafficTest, OverlaysWithTheSameSubnetAreIsolated) {
  Lab lab(2);
  Topology topology(lab);
  const NetworkId red = topology.add_network(1, {"10.0.1.0/24"});
  const NetworkId blue = topology.add_network(2, {"10.0.1.0/24"});
  topology.add_endpoint(1, 1, red, {"10.0.1.1/24"});
  topology.add_endpoint(2, 2, red, {"10.0.1.2/24"});
  topology.add_endpoint(11, 1, blue, {"10.0.1.1/24"});
  topology.add_endpoint(12, 2, blue, {"10.0.1.2/24"});
  topology.add_endpoint(13, 2, blue, {"10.0.1.3/24"});
  topology.apply(2);
  EXPECT_TRUE(udp_echo(lab.space("e1"), lab.space("e2"), ip("10.0.1.2"), 9, 9));
  EXPECT_TRUE(udp_echo(lab.space("e11"), lab.space("e12"), ip("10.0.1.2"), 9, 9));
  // The same address on the other network: the server there hears nothing.
  EXPECT_FALSE(udp_echo(lab.space("e1"), lab.space("e12"), ip("10.0.1.2"), 10, 10));
  EXPECT_TRUE(ping(lab.space("e11"), ip("10.0.1.3")));
  EXPECT_FALSE(ping(lab.space("e1"), ip("10.0.1.3"), 84, std::chrono::milliseconds(300)));
}

TEST(TrafficTest, UnicastBetweenOthersIsNotSeenByAThirdEndpoint) {
  Lab lab(2);
  Topology topology(lab);
  const NetworkId network = topology.add_network(1, {"10.0.1.0/24"});
  topology.add_endpoint(1, 1, network, {"10.0.1.1/24"});
  topology.add_endpoint(2, 2, network, {"10.0.1.2/24"});
  topology.add_endpoint(3, 1, network, {"10.0.1.3/24"});
  topology.apply(2);
  ASSERT_TRUE(ping(lab.space("e1"), ip("10.0.1.2")));
  const auto received = [&] {
    return sh("nsenter --net=" + lab.path("e3") +
              " ip -s -j link show eth0 | jq -r '.[0].stats64.rx.packets'");
  };
  const std::string before = received();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(ping(lab.space("e1"), ip("10.0.1.2")));
  EXPECT_EQ(received(), before);
}

TEST(TrafficTest, ThreeHostsReachEachOther) {
  Lab lab(3);
  Topology topology(lab);
  const NetworkId network = topology.add_network(1, {"10.0.1.0/24"});
  for (int host = 1; host <= 3; ++host) {
    topology.add_endpoint(host, host, network, {"10.0.1." + std::to_string(host) + "/24"});
  }
  topology.apply(3);
  for (int from = 1; from <= 3; ++from) {
    for (int to = 1; to <= 3; ++to) {
      if (from == to) continue;
      EXPECT_TRUE(ping(lab.space("e" + std::to_string(from)), ip("10.0.1." + std::to_string(to))));
    }
  }
}

TEST(TrafficTest, FurtherSubnetsOfTheNetworkAreReachedOnLink) {
  Lab lab(2);
  Topology topology(lab);
  const NetworkId network =
      topology.add_network(1, {"10.0.1.0/24", "10.0.2.0/24", "fd01::/64", "fd02::/64"});
  topology.add_endpoint(1, 1, network, {"10.0.1.1/24", "fd01::1/64"});
  topology.add_endpoint(2, 2, network, {"10.0.2.2/24", "fd02::2/64"});
  topology.apply(2);
  EXPECT_TRUE(ping(lab.space("e1"), ip("10.0.2.2")));
  EXPECT_TRUE(ping(lab.space("e1"), ip("fd02::2")));
  EXPECT_EQ(lab.in("e1", "ip route show default"), "");
}

TEST(TrafficTest, AnEndpointThatMovesIsReachedAtItsNewHost) {
  Lab lab(3);
  Topology topology(lab);
  const NetworkId network = topology.add_network(1, {"10.0.1.0/24", "fd01::/64"});
  topology.add_endpoint(1, 1, network, {"10.0.1.1/24", "fd01::1/64"});
  const EndpointId moved = topology.add_endpoint(2, 2, network, {"10.0.1.2/24", "fd01::2/64"});
  topology.apply(3);
  ASSERT_TRUE(ping(lab.space("e1"), ip("10.0.1.2")));
  ASSERT_TRUE(ping(lab.space("e1"), ip("fd01::2")));
  topology.remove(moved);
  topology.add_endpoint(3, 3, network, {"10.0.1.2/24", "fd01::2/64"});
  topology.apply(3);
  // The neighbour entry of e1 still holds the old MAC; its kernel asks again within seconds.
  EXPECT_TRUE(
      eventually([&] { return ping(lab.space("e1"), ip("10.0.1.2")); }, std::chrono::seconds(40)));
}

}  // namespace
}  // namespace shoal::testing
