#include "worker/drivers/bridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/drivers/bridge_options.h"

namespace shoal::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kMtu[] = "com.docker.network.driver.mtu";
constexpr char kName[] = "com.docker.network.bridge.name";

Prefix prefix(const std::string& text) { return *Prefix::parse(text); }
Ip ip(const std::string& text) { return *Ip::parse(text); }

manager::Network network(std::map<std::string, std::string> options = {}) {
  manager::Network out;
  out.id = NetworkId("abcdefghijklmnopqrstuvwxy");
  out.spec.name = "shop";
  out.spec.driver = "bridge";
  out.spec.options = std::move(options);
  out.subnets = {{prefix("172.18.0.0/16"), ip("172.18.0.1"), {}, {}, {}},
                 {prefix("fd00::/64"), ip("fd00::1"), {}, {}, {}}};
  return out;
}

Placement placement() {
  return {EndpointId("eeeeeeeeeeeeeeeeeeeeeeeee"),
          Mac({2, 0, 0, 0, 0, 1}),
          {prefix("172.18.0.2/16"), prefix("fd00::2/64")},
          "",
          true};
}

TEST(BridgeOptionsTest, DefaultsAreDockers) {
  const BridgeOptions options = *parse_bridge_options({});
  EXPECT_TRUE(options.masquerade);
  EXPECT_TRUE(options.icc);
  EXPECT_FALSE(options.inhibit_ipv4);
  EXPECT_EQ(options.mtu, 1500U);
  EXPECT_EQ(options.ifname_prefix, "eth");
}

TEST(BridgeOptionsTest, ABadValueIsRefusedWithTheRule) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {kMtu, "67"},
      {kMtu, "65536"},
      {kMtu, "-1"},
      {kMtu, "1500 "},
      {kMtu, ""},
      {kName, ""},
      {kName, ".."},
      {kName, "a/b"},
      {kName, "a b"},
      {kName, std::string(16, 'x')},
      {kName, "a\"b"},
      {"com.docker.network.bridge.enable_icc", "yes"},
      {"com.docker.network.container_iface_prefix", std::string(12, 'e')}};
  for (const auto& [key, value] : bad) {
    const auto parsed = parse_bridge_options({{key, value}});
    ASSERT_FALSE(parsed.ok()) << key << "=" << value;
    EXPECT_EQ(parsed.error().code, ErrorClass::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr(key));
  }
  EXPECT_EQ(parse_bridge_options({{kMtu, "0"}})->mtu, 1500U);
  EXPECT_EQ(parse_bridge_options({{kMtu, "9000"}})->mtu, 9000U);
}

TEST(BridgeOptionsTest, AnUnknownKeyNamesTheNearest) {
  const auto parsed = parse_bridge_options({{"com.docker.network.bridge.enable_ic", "1"}});
  EXPECT_EQ(parsed.error().code, ErrorClass::kInvalidArgument);
  EXPECT_THAT(parsed.error().message, HasSubstr("\"com.docker.network.bridge.enable_icc\""));
  EXPECT_EQ(parse_bridge_options({{"com.docker.network.host_ipv4", "1.2.3.4"}}).error().code,
            ErrorClass::kUnimplemented);
}

TEST(BridgeDriverTest, SpecsThatABridgeCannotBe) {
  const BridgeDriver driver;
  manager::NetworkSpec spec;
  spec.driver = "bridge";
  EXPECT_TRUE(driver.validate(spec).ok());
  spec.subnets.resize(2);
  spec.subnets[0].subnet = prefix("10.1.0.0/24");
  spec.subnets[1].subnet = prefix("10.2.0.0/24");
  EXPECT_THAT(driver.validate(spec).error().message, HasSubstr("one IPv4 subnet"));
  spec.subnets[1].subnet = prefix("fd00::/64");
  EXPECT_TRUE(driver.validate(spec).ok());
  spec.options[kMtu] = "1279";
  EXPECT_THAT(driver.validate(spec).error().message, HasSubstr("1280"));
  spec.options.clear();
  spec.ingress = true;
  EXPECT_EQ(driver.validate(spec).error().code, ErrorClass::kInvalidArgument);
}

TEST(BridgeDriverTest, TheBridgeHasTheGatewaysAndItsSubnetsAreMasqueraded) {
  const auto desired = BridgeDriver().network(network());
  EXPECT_EQ(desired.bridge.name, "br-abcdefghijkl");
  EXPECT_EQ(desired.bridge.mtu, 1500U);
  EXPECT_THAT(desired.addresses, ElementsAre(prefix("172.18.0.1/16"), prefix("fd00::1/64")));
  EXPECT_THAT(desired.rules.masquerade, ElementsAre(prefix("172.18.0.0/16"), prefix("fd00::/64")));
  EXPECT_FALSE(desired.bridge.inet6->disabled);
  EXPECT_FALSE(desired.bridge.inet6->accept_ra);
}

TEST(BridgeDriverTest, OptionsChangeWhatIsDesired) {
  const BridgeDriver driver;
  EXPECT_EQ(driver.network(network({{kName, "front0"}})).bridge.name, "front0");
  EXPECT_THAT(
      driver.network(network({{"com.docker.network.bridge.inhibit_ipv4", "true"}})).addresses,
      ElementsAre(prefix("fd00::1/64")));
  EXPECT_THAT(driver.network(network({{"com.docker.network.bridge.enable_ip_masquerade", "false"}}))
                  .rules.masquerade,
              ElementsAre());
  const auto endpoint = driver.endpoint(
      network({{"com.docker.network.bridge.enable_icc", "false"}, {kMtu, "1400"}}), placement());
  EXPECT_TRUE(endpoint.port.isolated);
  EXPECT_EQ(endpoint.mtu, 1400U);
}

TEST(BridgeDriverTest, TheWayOutIsOfTheChosenEndpointAndNeverOfAnInternalNetwork) {
  const BridgeDriver driver;
  EXPECT_THAT(driver.endpoint(network(), placement()).gateways,
              ElementsAre(ip("172.18.0.1"), ip("fd00::1")));
  Placement other = placement();
  other.gateway = false;
  EXPECT_THAT(driver.endpoint(network(), other).gateways, ElementsAre());
  manager::Network internal = network();
  internal.spec.internal = true;
  EXPECT_THAT(driver.endpoint(internal, placement()).gateways, ElementsAre());
  EXPECT_TRUE(driver.network(internal).rules.internal);
  EXPECT_THAT(driver.network(internal).rules.masquerade, ElementsAre());
  EXPECT_FALSE(driver.leads_out(internal));
}

TEST(BridgeDriverTest, PortsArePublishedWhereTheNetworkSaysSo) {
  const BridgeDriver driver;
  const std::string key = "com.docker.network.bridge.host_binding_ipv4";
  EXPECT_EQ(driver.publishes_at(network()), Ip());
  EXPECT_EQ(driver.publishes_at(network({{key, "127.0.0.1"}})), ip("127.0.0.1"));
  EXPECT_EQ(driver.publishes_at(network({{key, "::"}})), ip("::"));
  for (const char* bad : {"", "localhost", "224.0.0.1", "10.0.0.0/8"}) {
    EXPECT_FALSE(parse_bridge_options({{key, bad}}).ok()) << bad;
  }
}

}  // namespace
}  // namespace shoal::worker
