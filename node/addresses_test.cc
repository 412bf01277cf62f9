#include "node/addresses.h"

#include <gtest/gtest.h>

namespace shoal::node {
namespace {

Ip ip(const char* text) { return *Ip::parse(text); }

const std::vector<InterfaceAddress> kOne = {{"lo", ip("127.0.0.1")},
                                            {"lo", ip("::1")},
                                            {"eth0", ip("192.168.90.11")},
                                            {"eth0", ip("fd90::11")},
                                            {"eth0", ip("fe80::1")}};
const std::vector<InterfaceAddress> kTwo = {
    {"eth0", ip("192.168.90.11")}, {"eth1", ip("10.1.1.1")}, {"eth1", ip("10.1.1.2")}};

TEST(ChooseAddress, TakesTheOnlyGlobalOneIpv4First) {
  EXPECT_EQ(*choose_address(kOne, "", "--advertise-addr"), ip("192.168.90.11"));
  EXPECT_EQ(*choose_address({{"eth0", ip("fd90::11")}}, "", "--advertise-addr"), ip("fd90::11"));
}

TEST(ChooseAddress, ListsTheCandidatesWhenItIsNotClear) {
  const auto chosen = choose_address(kTwo, "", "--advertise-addr");
  ASSERT_FALSE(chosen.ok());
  for (const char* part : {"192.168.90.11 (eth0)", "10.1.1.1 (eth1)", "--advertise-addr"}) {
    EXPECT_NE(chosen.error().message.find(part), std::string::npos) << chosen.error().message;
  }
  EXPECT_FALSE(choose_address({{"lo", ip("127.0.0.1")}}, "", "--advertise-addr").ok());
}

TEST(ChooseAddress, ByInterface) {
  EXPECT_EQ(*choose_address(kTwo, "eth0", "--advertise-addr"), ip("192.168.90.11"));
  EXPECT_FALSE(choose_address(kTwo, "eth1", "--advertise-addr").ok()) << "two addresses";
  EXPECT_FALSE(choose_address(kTwo, "eth7", "--advertise-addr").ok());
}

TEST(ChooseAddress, RefusesWhatNobodyCanReach) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "::", "224.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(choose_address(kOne, text, "--advertise-addr").ok()) << text;
  }
}

TEST(ChooseAdvertise, TakesAPortInEveryForm) {
  const auto text = [](const char* in) {
    const auto out = choose_advertise(kOne, in, 2377);
    return out.ok() ? out->str() : "refused: " + out.error().message;
  };
  EXPECT_EQ(text(""), "192.168.90.11:2377");
  EXPECT_EQ(text("10.0.0.1"), "10.0.0.1:2377");
  EXPECT_EQ(text("10.0.0.1:99"), "10.0.0.1:99");
  EXPECT_EQ(text("fd90::11"), "[fd90::11]:2377");
  EXPECT_EQ(text("[fd90::11]:99"), "[fd90::11]:99");
  EXPECT_EQ(text("eth0"), "192.168.90.11:2377");
  EXPECT_EQ(text("eth0:99"), "192.168.90.11:99");
  for (const char* bad : {"eth0:0", "eth0:65536", "eth0:x", "eth9", "10.0.0.1:0", "eth0:"}) {
    EXPECT_EQ(text(bad).find("refused"), 0U) << bad << " gave " << text(bad);
  }
}

TEST(ChooseListen, DefaultsToAnyAddressOfTheFamily) {
  EXPECT_EQ(choose_listen("", Family::kV4, 2377)->str(), "0.0.0.0:2377");
  EXPECT_EQ(choose_listen("", Family::kV6, 2377)->str(), "[::]:2377");
  EXPECT_EQ(choose_listen("10.0.0.1", Family::kV4, 2377)->str(), "10.0.0.1:2377");
  EXPECT_EQ(choose_listen("10.0.0.1:5", Family::kV4, 2377)->str(), "10.0.0.1:5");
  EXPECT_FALSE(choose_listen("nonsense", Family::kV4, 2377).ok());
}

}  // namespace
}  // namespace shoal::node
