#include "manager/allocator/address_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Ip ip(std::string_view text) { return *Ip::parse(text); }
Prefix prefix(std::string_view text) { return *Prefix::parse(text); }

constexpr WallTime kNow{1'000'000'000'000};

class AddressSpaceTest : public testing::Test {
 protected:
  static Network network(std::vector<Subnet> subnets) {
    Network result;
    result.id = NetworkId("n");
    result.spec.name = "shop";
    result.subnets = std::move(subnets);
    return result;
  }
  static Subnet subnet(std::string_view text, std::string_view gateway) {
    return {prefix(text), ip(gateway), std::nullopt, {}};
  }
  // Takes what is chosen, as the store does.
  std::string give(AddressSpace& space, std::vector<Ip> requested = {}, WallTime now = kNow) {
    const auto choice = space.choose(requested, now);
    if (!choice) return choice.error().message;
    for (const Ip& recalled : choice->recalled) space.expire(recalled);
    std::string text;
    for (const Prefix& address : choice->addresses) {
      space.take(address.ip, &endpoint_);
      text += (text.empty() ? "" : " ") + address.str();
    }
    for (const AddressCursor& cursor : choice->cursors) {
      space.set_cursor(cursor.subnet, cursor.next);
    }
    return text;
  }
  static void rest(AddressSpace& space, std::string_view address, Duration duration) {
    space.release(ip(address));
    space.quarantine(ip(address), kNow + duration);
  }

  Endpoint endpoint_{.spec = {.name = "web"}};
};

TEST_F(AddressSpaceTest, SerialInBothFamilies) {
  AddressSpace space(network({subnet("10.0.0.0/24", "10.0.0.1"), subnet("fd00::/64", "fd00::1")}));
  EXPECT_EQ(give(space), "10.0.0.2/24 fd00::2/64");
  EXPECT_EQ(give(space), "10.0.0.3/24 fd00::3/64");
  space.release(ip("10.0.0.2"));
  EXPECT_EQ(give(space), "10.0.0.4/24 fd00::4/64");
}

TEST_F(AddressSpaceTest, GoesAroundAtTheEnd) {
  AddressSpace space(network({subnet("10.0.0.0/29", "10.0.0.1")}));
  for (int i = 2; i <= 6; ++i) give(space);
  space.release(ip("10.0.0.3"));
  EXPECT_EQ(give(space), "10.0.0.3/29");
  EXPECT_THAT(give(space), HasSubstr("5 addresses, 5 used, 0 quarantined, 0 free; detach"));
}

TEST_F(AddressSpaceTest, TheNextSubnetServesWhenOneIsFull) {
  AddressSpace space(
      network({subnet("10.0.0.0/30", "10.0.0.1"), subnet("10.0.5.0/30", "10.0.5.2")}));
  EXPECT_EQ(give(space), "10.0.0.2/30");
  EXPECT_EQ(give(space), "10.0.5.1/30");
  EXPECT_EQ(space.choose({}, kNow).error(),
            resource_exhausted("network \"shop\" has no free IPv4 address: 2 addresses, 2 used, 0 "
                               "quarantined, 0 free; detach endpoints or create the network with a "
                               "larger --subnet"));
}

TEST_F(AddressSpaceTest, FullWithQuarantineSaysWhenItIsOver) {
  AddressSpace space(network({subnet("10.0.0.0/24", "10.0.0.1")}));
  for (int i = 0; i < 253; ++i) give(space);
  for (int i = 10; i < 63; ++i) {
    rest(space, "10.0.0." + std::to_string(i), seconds(i) + milliseconds(1));
  }
  EXPECT_EQ(give(space),
            "network \"shop\" has no free IPv4 address: 253 addresses, 200 used, 53 quarantined, 0 "
            "free; the first quarantined one is free again in 11 s; detach endpoints or create the "
            "network with a larger --subnet");
  EXPECT_EQ(give(space, {}, kNow + seconds(11)), "10.0.0.10/24");
}

TEST_F(AddressSpaceTest, RequestedAddresses) {
  Subnet v4 = subnet("10.0.0.0/24", "10.0.0.1");
  v4.ip_range = prefix("10.0.0.128/25");
  v4.aux_addresses["dns"] = ip("10.0.0.200");
  AddressSpace space(network({v4}));
  EXPECT_EQ(give(space, {ip("10.0.0.7")}), "10.0.0.7/24");  // outside of the range, as with Docker
  EXPECT_EQ(space.choose(std::vector{ip("10.0.0.7")}, kNow).error(),
            already_exists("address 10.0.0.7 of network \"shop\" is held by endpoint \"web\": ask "
                           "for another, or detach that endpoint first"));
  EXPECT_THAT(give(space, {ip("10.0.0.1")}), HasSubstr("is the gateway"));
  EXPECT_THAT(give(space, {ip("10.0.0.200")}), HasSubstr("is the auxiliary address \"dns\""));
  EXPECT_THAT(give(space, {ip("10.0.0.255")}), HasSubstr("is the broadcast address"));
  EXPECT_EQ(give(space, {ip("10.9.0.1")}),
            "address 10.9.0.1 is not inside a subnet of network \"shop\" (10.0.0.0/24)");
  EXPECT_EQ(give(space, {ip("fd00::9")}),
            "address fd00::9 cannot be given: network \"shop\" has no IPv6 subnet");
  rest(space, "10.0.0.7", seconds(42));
  EXPECT_EQ(
      space.choose(std::vector{ip("10.0.0.7")}, kNow).error(),
      conflict("address 10.0.0.7 of network \"shop\" was released and rests for another 42 s: "
               "ask for another, or try again then"));
  EXPECT_EQ(give(space, {ip("10.0.0.7")}, kNow + seconds(42)), "10.0.0.7/24");
}

TEST_F(AddressSpaceTest, DrawsFromTheRangeOnly) {
  Subnet v4 = subnet("10.0.0.0/24", "10.0.0.129");
  v4.ip_range = prefix("10.0.0.128/30");
  AddressSpace space(network({v4}));
  EXPECT_EQ(give(space), "10.0.0.128/24");
  EXPECT_EQ(give(space), "10.0.0.130/24");
  EXPECT_EQ(give(space), "10.0.0.131/24");
  EXPECT_EQ(give(space, {ip("10.0.0.5")}), "10.0.0.5/24");
  rest(space, "10.0.0.5", seconds(1));
  EXPECT_THAT(give(space), HasSubstr("in its ip-range (10.0.0.128/30): 3 addresses, 3 used, 0 "
                                     "quarantined, 0 free; detach"));
  // Nothing of what rests outside of the range is recalled by drawing.
  EXPECT_THAT(give(space, {}, kNow + seconds(2)), HasSubstr("3 used"));
}

TEST_F(AddressSpaceTest, UsageAddsUpWithExpiredQuarantineFree) {
  AddressSpace space(network({subnet("10.0.0.0/24", "10.0.0.1"), subnet("fd00::/48", "fd00::1")}));
  for (int i = 0; i < 3; ++i) give(space);
  rest(space, "10.0.0.2", seconds(5));
  rest(space, "10.0.0.3", seconds(9));
  EXPECT_THAT(
      space.usage(kNow),
      testing::ElementsAre(SubnetUsage{prefix("10.0.0.0/24"), 253, 1, 2, 250},
                           SubnetUsage{prefix("fd00::/48"), UINT64_MAX, 3, 0, UINT64_MAX - 3}));
  EXPECT_EQ(space.usage(kNow + seconds(5))[0],
            (SubnetUsage{prefix("10.0.0.0/24"), 253, 1, 1, 251}));
}

TEST_F(AddressSpaceTest, APointToPointSubnetHoldsOneEndpoint) {
  AddressSpace space(network({subnet("10.0.0.0/31", "10.0.0.0")}));
  EXPECT_EQ(space.usage(kNow)[0].size, 1U);
  EXPECT_EQ(give(space), "10.0.0.1/31");
  EXPECT_THAT(give(space), HasSubstr("1 addresses, 1 used"));
}

TEST_F(AddressSpaceTest, TheLastAddressOfTheSpaceIsFollowedByTheFirst) {
  AddressSpace space(network({subnet("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126",
                                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd")}));
  give(space);
  EXPECT_EQ(give(space), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/126");
  space.release(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
  EXPECT_EQ(give(space), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/126");
}

}  // namespace
}  // namespace shoal::manager
