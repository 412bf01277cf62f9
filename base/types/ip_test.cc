#include "base/types/ip.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
Ip ip(std::string_view text) { return Ip::parse(text).value(); }

TEST(Ip, ParsesAndPrints) {
  for (const char* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "fd00::1:2"}) {
    EXPECT_EQ(ip(text).str(), text);
  }
  for (const char* text : {"", "10.1.2", "10.1.2.256", "g::1", "1.2.3.4 ", "10.0.0.0/8", ":::"}) {
    EXPECT_FALSE(Ip::parse(text).ok()) << text;
  }
  EXPECT_FALSE(Ip::parse(std::string_view("1.2.3.4\0x", 9)).ok());
  EXPECT_FALSE(Ip::parse(std::string(1000, '1')).ok());
}

TEST(Ip, Arithmetic) {
  EXPECT_EQ(ip("10.0.0.255").plus(1), ip("10.0.1.0"));
  EXPECT_EQ(ip("255.255.255.255").plus(1), ip("0.0.0.0"));
  EXPECT_EQ(ip("fd00::ffff:ffff").plus(1), ip("fd00::1:0:0"));
  EXPECT_LT(ip("10.0.0.9"), ip("10.0.0.10"));
}

TEST(Prefix, Bounds) {
  EXPECT_EQ(prefix("10.0.1.7/24").network().str(), "10.0.1.0/24");
  EXPECT_EQ(prefix("10.0.1.7/24").last().str(), "10.0.1.255");
  EXPECT_EQ(prefix("0.0.0.0/0").last().str(), "255.255.255.255");
  EXPECT_EQ(prefix("fd00::/64").last().str(), "fd00::ffff:ffff:ffff:ffff");
  EXPECT_TRUE(prefix("10.0.0.0/31").size() == 2);
  EXPECT_TRUE(prefix("10.0.0.1/32").size() == 1);
  EXPECT_TRUE(prefix("::/0").contains(ip("fd00::1")));
  EXPECT_FALSE(prefix("::/0").contains(ip("10.0.0.1")));
}

TEST(Prefix, Overlap) {
  EXPECT_TRUE(prefix("10.0.0.0/8").overlaps(prefix("10.2.0.0/16")));
  EXPECT_TRUE(prefix("10.2.0.0/16").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.2.0.0/16").overlaps(prefix("10.3.0.0/16")));
  EXPECT_FALSE(prefix("10.2.0.0/16").overlaps(prefix("::/0")));
  EXPECT_FALSE(prefix("10.2.0.0/16").contains(prefix("10.0.0.0/8")));
}

TEST(Prefix, RefusesBadText) {
  for (const char* text :
       {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8x", "/8"}) {
    EXPECT_FALSE(Prefix::parse(text).ok()) << text;
  }
}

TEST(Mac, ParsesPrintsAndDraws) {
  EXPECT_EQ(Mac::parse("02:42:0A:00:00:02")->str(), "02:42:0a:00:00:02");
  for (const char* text : {"", "02:42:0a:00:00", "02-42-0a-00-00-02", "02:42:0a:00:00:0g"}) {
    EXPECT_FALSE(Mac::parse(text).ok()) << text;
  }
  const Mac drawn = Mac::from_random(~0ULL);
  EXPECT_EQ(drawn.bytes()[0] & 3, 2) << "locally administered and unicast";
}

TEST(HostPort, ParsesAndPrints) {
  EXPECT_EQ(HostPort::parse("192.0.2.1:2377")->str(), "192.0.2.1:2377");
  EXPECT_EQ(HostPort::parse("192.0.2.1", 2377)->port, 2377);
  EXPECT_EQ(HostPort::parse("[fd90::11]:1")->str(), "[fd90::11]:1");
  EXPECT_EQ(HostPort::parse("fd90::11", 2377)->str(), "[fd90::11]:2377");
  EXPECT_EQ(HostPort::parse("[fd90::11]", 2377)->str(), "[fd90::11]:2377");
  for (const char* text : {"192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "[fd90::11", "host:1",
                           "[fd90::11]x:1", ":1"}) {
    EXPECT_FALSE(HostPort::parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace shoal
