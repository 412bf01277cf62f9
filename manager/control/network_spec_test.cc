#include "manager/control/network_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::manager::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }

TEST(NetworkSpecTest, Drivers) {
  NetworkSpec spec;
  spec.driver = "";
  EXPECT_EQ(normalise(spec)->driver, "overlay");
  spec.driver = "macvlan";
  EXPECT_EQ(normalise(spec).error(),
            unimplemented("driver \"macvlan\" is not supported yet: use \"overlay\""));
  spec.driver = "weave";
  EXPECT_EQ(normalise(spec).error(), invalid_argument("unknown driver \"weave\": use \"overlay\""));
}

TEST(NetworkSpecTest, OptionsAreNeverDroppedSilently) {
  NetworkSpec spec;
  spec.options["com.docker.network.driver.mtu"] = "1400";
  EXPECT_EQ(normalise(spec)->options, spec.options);
  spec.options["encrypted"] = "";
  EXPECT_EQ(normalise(spec).error().code, ErrorClass::kUnimplemented);
  spec.options["encrypted"] = "false";
  EXPECT_EQ(normalise(spec)->options.size(), 1U);
  spec.options["dsr"] = "";
  EXPECT_THAT(normalise(spec).error().message, HasSubstr("unknown option \"dsr\""));
}

TEST(NetworkSpecTest, IngressAndIpv6) {
  NetworkSpec spec;
  spec.ingress = true;
  EXPECT_EQ(normalise(spec).error().code, ErrorClass::kUnimplemented);
  spec.ingress = false;
  EXPECT_FALSE(normalise(spec)->ipv6);
  spec.subnets.emplace_back().subnet = prefix("fd00::/64");
  EXPECT_TRUE(normalise(spec)->ipv6);
}

TEST(NetworkSpecTest, RoutesAreReducedToThoseThatMatter) {
  const std::vector<Prefix> pools{prefix("10.0.0.0/8"), prefix("fd00::/48")};
  std::vector<HostRoute> routes;
  for (const char* route : {"10.1.2.0/24", "0.0.0.0/0", "10.1.0.0/16", "10.1.2.0/24",
                            "192.168.0.0/16", "10.0.0.7/32", "fd00::/64", "10.9.9.9/24"}) {
    routes.push_back({prefix(route), "h1"});
  }
  EXPECT_THAT(*routes_to_avoid(routes, pools),
              ElementsAre(prefix("10.0.0.7/32"), prefix("10.1.0.0/16"), prefix("10.9.9.0/24"),
                          prefix("fd00::/64")));
}

TEST(NetworkSpecTest, TooManyRoutesAreARefusal) {
  std::vector<HostRoute> routes;
  for (size_t i = 0; i < kMaxAvoid; ++i) {
    routes.push_back({{Ip::v4(static_cast<uint32_t>(0x0a000000 + i * 2)), 32}, "h1"});
  }
  const std::vector<Prefix> pools{prefix("10.0.0.0/8")};
  EXPECT_EQ(routes_to_avoid(routes, pools)->size(), kMaxAvoid);
  routes.push_back({prefix("10.200.0.0/24"), "h1"});
  EXPECT_THAT(routes_to_avoid(routes, pools).error().message,
              HasSubstr("4097 routes inside the address pools"));
}

}  // namespace
}  // namespace shoal::manager::control
