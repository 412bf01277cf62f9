#include "vxlan/filter/host_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::vxlan {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kRemoval[] = "table inet shoal\ndelete table inet shoal\n";

BridgeRules bridge(const std::string& name, const std::vector<std::string>& subnets = {}) {
  BridgeRules rules{.bridge = name};
  for (const std::string& subnet : subnets) rules.masquerade.push_back(*Prefix::parse(subnet));
  return rules;
}

TEST(HostTableText, WithoutABridgeItIsRemoved) { EXPECT_EQ(render_host_table({}), kRemoval); }

TEST(HostTableText, ReplacesInOneTransaction) {
  EXPECT_THAT(render_host_table({.bridges = {bridge("br-a")}}), StartsWith(kRemoval));
}

TEST(HostTableText, BridgesAreElementsAndTheRulesAsManyForAThousand) {
  const auto rules = [](const HostTable& table) {
    const std::string text = render_host_table(table);
    return text.substr(text.find("  chain forward"));
  };
  HostTable many;
  for (int i = 0; i < 1000; ++i) many.bridges.push_back(bridge("br-" + std::to_string(i)));
  EXPECT_EQ(rules(many), rules({.bridges = {bridge("br-a")}}));
  EXPECT_THAT(render_host_table(many), HasSubstr("\"br-7\" . \"br-7\""));
}

TEST(HostTableText, SubnetsAreMasqueradedByFamily) {
  const std::string text =
      render_host_table({.bridges = {bridge("br-a", {"172.18.0.1/16", "fd00::1/64"})}});
  EXPECT_THAT(text, HasSubstr("type ipv4_addr; flags interval\n    elements = { 172.18.0.0/16 }"));
  EXPECT_THAT(text, HasSubstr("type ipv6_addr; flags interval\n    elements = { fd00::/64 }"));
}

TEST(HostTableText, AnEndpointThatAsksItsOwnNetworkIsKnownByItsSource) {
  BridgeRules rules = bridge("br-a");
  rules.subnets = {*Prefix::parse("172.18.0.0/16"), *Prefix::parse("fd00::/64")};
  const std::string text = render_host_table({.bridges = {rules}});
  EXPECT_THAT(text, HasSubstr("elements = { \"br-a\" . 172.18.0.0/16 }"));
  EXPECT_THAT(text, HasSubstr("elements = { \"br-a\" . fd00::/64 }"));
}

TEST(HostTableText, TheUsersTableIsKnownAsItWasMade) {
  EXPECT_TRUE(is_untouched_user_table(render_user_table()));
  EXPECT_FALSE(is_untouched_user_table(""));
  EXPECT_FALSE(is_untouched_user_table(
      "table inet shoal-user {\n chain forward {\n type filter hook forward priority -1; policy "
      "accept;\n drop\n }\n}\n"));
}

TEST(HostTableText, TheGuardIsOfItsFamilyOnly) {
  HostTable table{.bridges = {bridge("br-a")}};
  EXPECT_THAT(render_host_table(table), Not(HasSubstr("nfproto")));
  table.guard_v6 = true;
  EXPECT_THAT(render_host_table(table), HasSubstr("nfproto ipv6"));
  EXPECT_THAT(render_host_table(table), Not(HasSubstr("nfproto ipv4")));
}

}  // namespace
}  // namespace shoal::vxlan
