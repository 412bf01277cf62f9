#include "manager/allocator/subnet_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

using testing::HasSubstr;

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }
Ip ip(std::string_view text) { return *Ip::parse(text); }

NetworkSpec with(std::vector<SubnetSpec> subnets, bool ipv6 = false) {
  NetworkSpec spec;
  spec.name = "shop";
  spec.subnets = std::move(subnets);
  spec.ipv6 = ipv6;
  return spec;
}

SubnetSpec subnet(std::string_view text) {
  SubnetSpec spec;
  spec.subnet = prefix(text);
  return spec;
}

class SubnetPlanTest : public testing::Test {
 protected:
  Result<std::vector<Subnet>> plan(const NetworkSpec& spec, std::vector<Prefix> avoid = {}) {
    return plan_subnets(spec, pools_, index_, avoid);
  }
  std::string refusal(const SubnetSpec& spec) {
    const auto result = plan(with({spec}));
    return result ? "accepted" : result.error().message;
  }

  Pools pools_{{prefix("10.0.0.0/8"), prefix("fd11:2233:4455::/48")}};
  SubnetIndex index_;
};

TEST_F(SubnetPlanTest, DrawsTheFirstOfThePools) {
  const auto subnets = plan(with({}, true));
  ASSERT_TRUE(subnets.ok());
  ASSERT_EQ(subnets->size(), 2U);
  EXPECT_EQ(subnets->at(0).prefix.str(), "10.0.0.0/24");
  EXPECT_EQ(subnets->at(0).gateway.str(), "10.0.0.1");
  EXPECT_EQ(subnets->at(1).prefix.str(), "fd11:2233:4455::/64");
  EXPECT_EQ(subnets->at(1).gateway.str(), "fd11:2233:4455::1");
}

TEST_F(SubnetPlanTest, SkipsOtherNetworksHostRoutesAndItsOwn) {
  index_.add(prefix("10.0.0.0/24"), "first");
  const auto subnets = plan(with({SubnetSpec{}, subnet("10.0.2.0/24"), subnet("0.0.0.0/25")}),
                            {prefix("10.0.1.0/24"), prefix("0.0.0.0/0")});
  ASSERT_TRUE(subnets.ok()) << subnets.error().message;
  EXPECT_EQ(subnets->at(0).prefix.str(), "10.0.3.0/24");
  EXPECT_EQ(subnets->at(1).prefix.str(), "10.0.2.0/24");
  EXPECT_EQ(subnets->at(2).prefix.str(), "10.0.4.0/25");
}

TEST_F(SubnetPlanTest, AnIpv6SubnetAloneGetsAnIpv4OneBeside) {
  const auto subnets = plan(with({subnet("::/56")}));
  ASSERT_TRUE(subnets.ok()) << subnets.error().message;
  EXPECT_EQ(subnets->at(0).prefix.str(), "10.0.0.0/24");
  EXPECT_EQ(subnets->at(1).prefix.str(), "fd11:2233:4455::/56");
}

TEST_F(SubnetPlanTest, TheSecondPoolServesWhenTheFirstIsFull) {
  pools_ = {{prefix("192.168.0.0/24"), prefix("172.20.0.0/23")}};
  index_.add(prefix("192.168.0.128/25"), "half");
  EXPECT_EQ(plan(with({}))->at(0).prefix.str(), "172.20.0.0/24");
  index_.add(prefix("172.20.0.0/23"), "rest");
  const auto full = plan(with({}));
  EXPECT_EQ(full.error(),
            resource_exhausted(
                "the address pools (192.168.0.0/24, 172.20.0.0/23) "
                "have no free /24 beside the cluster's networks and the routes of its hosts: "
                "remove networks that are not used, "
                "or give --subnet"));
  EXPECT_EQ(plan(with({}, true)).error().code, ErrorClass::kResourceExhausted);
}

TEST_F(SubnetPlanTest, OverlapNamesTheNetworkAndItsSubnet) {
  index_.add(prefix("10.5.0.0/16"), "bank");
  const auto result = plan(with({subnet("10.5.7.0/24")}));
  EXPECT_EQ(result.error(),
            conflict("subnet 10.5.7.0/24 overlaps subnet 10.5.0.0/16 of network \"bank\": take "
                     "another, or none to have one drawn"));
}

TEST_F(SubnetPlanTest, WhatIsWrongInItself) {
  EXPECT_EQ(refusal(subnet("10.1.1.5/24")),
            "subnet 10.1.1.5/24 has host bits set: did you mean 10.1.1.0/24?");
  EXPECT_THAT(refusal(subnet("10.1.1.1/32")), HasSubstr("/8 to /31"));
  EXPECT_THAT(refusal(subnet("0.0.0.0/31")), HasSubstr("/8 to /30"));
  EXPECT_THAT(refusal(subnet("0.0.0.0/0")), HasSubstr("out of range"));
  EXPECT_THAT(refusal(subnet("fd00::/127")), HasSubstr("/16 to /126"));
  EXPECT_THAT(refusal(subnet("127.1.0.0/16")), HasSubstr("loopback"));
  EXPECT_THAT(refusal(subnet("224.0.0.0/16")), HasSubstr("multicast"));
  EXPECT_THAT(refusal(subnet("fe80::/64")), HasSubstr("link-local"));
  EXPECT_THAT(refusal(subnet("0.1.0.0/16")), HasSubstr("this-host"));

  SubnetSpec spec = subnet("10.1.0.0/24");
  spec.gateway = ip("10.2.0.1");
  EXPECT_EQ(refusal(spec), "gateway 10.2.0.1 is not inside subnet 10.1.0.0/24");
  spec.gateway = ip("10.1.0.0");
  EXPECT_THAT(refusal(spec), HasSubstr("is the network address of subnet 10.1.0.0/24"));
  spec.gateway = ip("10.1.0.255");
  EXPECT_THAT(refusal(spec), HasSubstr("is the broadcast address"));
  spec.gateway = ip("10.1.0.254");
  EXPECT_EQ(refusal(spec), "accepted");

  spec.ip_range = prefix("10.1.0.128/23");
  EXPECT_THAT(refusal(spec), HasSubstr("did you mean 10.1.0.0/23"));
  spec.ip_range = prefix("10.1.0.0/23");
  EXPECT_EQ(refusal(spec), "ip-range 10.1.0.0/23 is not inside subnet 10.1.0.0/24");
  spec.ip_range = prefix("10.1.0.128/25");
  EXPECT_EQ(refusal(spec), "accepted");

  spec.aux_addresses["dns"] = ip("10.9.0.1");
  EXPECT_THAT(refusal(spec), HasSubstr("auxiliary address \"dns\" 10.9.0.1 is not inside"));
  spec.aux_addresses["dns"] = ip("10.1.0.254");
  EXPECT_THAT(refusal(spec), HasSubstr("is also the gateway"));
  spec.aux_addresses["dns"] = spec.aux_addresses["ntp"] = ip("10.1.0.3");
  EXPECT_THAT(refusal(spec), HasSubstr("is also auxiliary address \"dns\""));

  SubnetSpec loose;
  loose.gateway = ip("10.1.0.1");
  EXPECT_THAT(refusal(loose), HasSubstr("needs its subnet"));
}

TEST_F(SubnetPlanTest, BoundsAndOverlapInOneSpec) {
  EXPECT_THAT(plan(with(std::vector<SubnetSpec>(kMaxSubnets + 1))).error().message,
              HasSubstr("at most 16"));
  EXPECT_TRUE(plan(with(std::vector<SubnetSpec>(kMaxSubnets))).ok());
  EXPECT_THAT(plan(with({subnet("10.1.0.0/16"), subnet("10.1.3.0/24")})).error().message,
              HasSubstr("subnets 10.1.0.0/16 and 10.1.3.0/24 of network \"shop\" overlap"));
}

TEST_F(SubnetPlanTest, TheGatewayStepsOverAuxiliaryAddresses) {
  SubnetSpec spec = subnet("10.1.0.0/30");
  spec.aux_addresses["a"] = ip("10.1.0.1");
  EXPECT_EQ(plan(with({spec}))->at(0).gateway.str(), "10.1.0.2");
  spec.aux_addresses["b"] = ip("10.1.0.2");
  EXPECT_THAT(refusal(spec), HasSubstr("no address left for a gateway"));
}

TEST_F(SubnetPlanTest, APointToPointSubnetUsesBothAddresses) {
  const auto subnets = plan(with({subnet("10.1.0.0/31")}));
  EXPECT_EQ(subnets->at(0).gateway.str(), "10.1.0.0");
  EXPECT_EQ(reserved_as(subnets->at(0), ip("10.1.0.1")), "");
}

TEST_F(SubnetPlanTest, ReservedAddressesSayWhy) {
  SubnetSpec spec = subnet("10.1.0.0/24");
  spec.aux_addresses["dns"] = ip("10.1.0.9");
  const Subnet planned = plan(with({spec}))->at(0);
  EXPECT_EQ(reserved_as(planned, ip("10.1.0.0")), "the network address");
  EXPECT_EQ(reserved_as(planned, ip("10.1.0.1")), "the gateway");
  EXPECT_EQ(reserved_as(planned, ip("10.1.0.9")), "the auxiliary address \"dns\"");
  EXPECT_EQ(reserved_as(planned, ip("10.1.0.255")), "the broadcast address");
  EXPECT_EQ(reserved_as(planned, ip("10.1.0.2")), "");
  const Subnet six = plan(with({subnet("fd00::/64")}))->at(1);
  EXPECT_EQ(reserved_as(six, ip("fd00::")), "the network address");
  EXPECT_EQ(reserved_as(six, ip("fd00::ffff:ffff:ffff:ffff")), "");
}

TEST_F(SubnetPlanTest, RoutesOfHosts) {
  const std::vector<HostRoute> routes{
      {prefix("0.0.0.0/0"), "h1"}, {prefix("0.0.0.0/1"), "h1"}, {prefix("10.7.0.0/16"), "h2"}};
  EXPECT_EQ(check_overlap_with_routes(with({subnet("10.7.1.0/24")}), routes).error(),
            conflict("subnet 10.7.1.0/24 overlaps the route 10.7.0.0/16 of node h2: "
                     "take another, or none to have one drawn"));
  EXPECT_TRUE(check_overlap_with_routes(with({subnet("10.8.1.0/24")}), routes).ok());
  EXPECT_TRUE(check_overlap_with_routes(with({subnet("0.0.0.0/24")}), routes).ok());
}

TEST_F(SubnetPlanTest, WhatIsDrawn) {
  EXPECT_TRUE(draws_subnets(with({})));
  EXPECT_FALSE(draws_subnets(with({subnet("10.1.0.0/24")})));
  EXPECT_TRUE(draws_subnets(with({subnet("10.1.0.0/24")}, true)));
  EXPECT_TRUE(draws_subnets(with({subnet("fd00::/64")}, true)));
  EXPECT_FALSE(draws_subnets(with({subnet("10.1.0.0/24"), subnet("fd00::/64")}, true)));
  EXPECT_TRUE(draws_subnets(with({subnet("10.1.0.0/24"), subnet("::/64")})));
}

TEST(PoolsTest, Checks) {
  EXPECT_TRUE(check_pools({{prefix("10.0.0.0/8"), prefix("fd00::/48")}}).ok());
  EXPECT_THAT(check_pools({{}}).error().message, HasSubstr("1 to 64"));
  EXPECT_THAT(check_pools({{prefix("10.0.0.1/8")}}).error().message, HasSubstr("host bits"));
  EXPECT_THAT(check_pools({{prefix("10.0.0.0/25")}}).error().message,
              HasSubstr("cannot be cut in /24: the mask length must be 25 to 30"));
  EXPECT_THAT(check_pools({{prefix("10.0.0.0/8")}, 31}).error().message, HasSubstr("/31"));
  EXPECT_THAT(check_pools({{prefix("10.0.0.0/8"), prefix("10.3.0.0/16")}}).error().message,
              HasSubstr("10.0.0.0/8 and 10.3.0.0/16 overlap"));
  EXPECT_FALSE(check_pools({{prefix("0.0.0.0/8")}}).ok());
}

TEST(PoolsTest, TheUlaPoolIsRandomAndCanBeCut) {
  SeededRng rng(1);
  const Prefix one = random_ula_pool(rng);
  const Prefix two = random_ula_pool(rng);
  EXPECT_NE(one, two);
  EXPECT_EQ(one.ip.bytes()[0], 0xfd);
  EXPECT_TRUE(check_pools({{default_pool_v4(), one, two}}).ok());
}

}  // namespace
}  // namespace shoal::manager
