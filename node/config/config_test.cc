#include "node/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config/syntax.h"

namespace shoal::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Config> toml(std::string_view text) {
  const auto root = parse_toml(text);
  if (!root) return root.error();
  return interpret(*root, Dialect::kShoal);
}
Result<Config> json(std::string_view text) {
  const auto root = parse_json(text);
  if (!root) return root.error();
  return interpret(*root, Dialect::kDocker);
}
std::string refusal(const Result<Config>& config) {
  return config ? "accepted" : config.error().message;
}

TEST(Config, HoldsWhatTheFileSays) {
  const auto config = toml(R"(# everything
state-dir = "/srv/shoal"
run-dir = "/run/other"
socket = "/run/other.sock"
resolv-conf = "/run/resolv.conf"
ip-forward = false
log-level = "debug"
dns = ["10.0.0.2", "2001:db8::53"]

[[default-address-pools]]
base = "172.30.0.0/15"
size = 24
[[default-address-pools]]
base = "fd00:1::/48"
size = 64

[default-network-opts.bridge]
"com.docker.network.driver.mtu" = "1400"
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->state_dir, "/srv/shoal");
  EXPECT_EQ(config->run_dir, "/run/other");
  EXPECT_EQ(config->socket, "/run/other.sock");
  EXPECT_EQ(config->resolv_conf, "/run/resolv.conf");
  EXPECT_EQ(config->ip_forward, false);
  EXPECT_EQ(config->log_level, "debug");
  ASSERT_TRUE(config->dns);
  EXPECT_THAT(*config->dns, ElementsAre(*Ip::parse("10.0.0.2"), *Ip::parse("2001:db8::53")));
  ASSERT_TRUE(config->default_address_pools);
  ASSERT_EQ(config->default_address_pools->size(), 2U);
  EXPECT_EQ(config->default_address_pools->at(0).base.str(), "172.30.0.0/15");
  EXPECT_EQ(config->default_address_pools->at(0).length, 24);
  ASSERT_TRUE(config->default_network_opts);
  EXPECT_EQ(config->default_network_opts->at("bridge").at("com.docker.network.driver.mtu"), "1400");
  EXPECT_TRUE(config->notes.empty());
}

TEST(Config, NothingIsSaidByAnEmptyFile) {
  for (const auto& config : {toml(""), toml("# nothing\n"), json("{}")}) {
    ASSERT_TRUE(config);
    EXPECT_EQ(*config, Config());
  }
}

TEST(Config, TakesTheHostsDaemonJson) {
  const auto config = json(R"({"storage-driver": "overlay2", "log-level": "warn",
    "registry-mirrors": ["https://mirror"], "dns": ["9.9.9.9"],
    "default-address-pools": [{"base": "10.10.0.0/16", "size": 24}]})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->log_level, "warn");
  EXPECT_EQ(config->dns->size(), 1U);
  EXPECT_EQ(config->default_address_pools->size(), 1U);
  EXPECT_EQ(config->notes.size(), 2U);
  EXPECT_THAT(config->notes[1], HasSubstr("storage-driver"));
  EXPECT_THAT(refusal(json(R"({"state-dir": "/x"})")), HasSubstr("unknown key"));
  EXPECT_THAT(refusal(toml("storage-driver = 'overlay2'")), HasSubstr("unknown key"));
}

TEST(Config, ErrorsSayWhereAndWhat) {
  EXPECT_THAT(refusal(toml("\n\ndsn = ['1.1.1.1']\n")),
              testing::AllOf(HasSubstr("line 3"), HasSubstr("\"dsn\""), HasSubstr("\"dns\"")));
  EXPECT_THAT(refusal(json("{\"default-adress-pools\": []}")), HasSubstr("default-address-pools"));
  EXPECT_THAT(refusal(toml("log-level = 'loud'")), HasSubstr("debug, info, warn, error"));
  EXPECT_THAT(refusal(toml("log-level = 3")), HasSubstr("must be a string"));
  EXPECT_THAT(refusal(toml("dns = '1.1.1.1'")), HasSubstr("list of addresses"));
  EXPECT_THAT(refusal(toml("dns = ['one']")), HasSubstr("no IP address"));
  EXPECT_THAT(refusal(toml("dns = ['0.0.0.0']")), HasSubstr("no address of a resolver"));
  EXPECT_THAT(refusal(toml("ip-forward = 'no'")), HasSubstr("true or false"));
  EXPECT_THAT(refusal(toml("state-dir = 'here'")), HasSubstr("absolute path"));
  EXPECT_THAT(refusal(toml("socket = ''")), HasSubstr("absolute path"));
  EXPECT_THAT(refusal(toml("dns = [")), HasSubstr("line 1"));
  EXPECT_THAT(refusal(toml("dns = 2020-01-01")), HasSubstr("date"));
  EXPECT_THAT(refusal(toml("log-level = 'info'\nlog-level = 'warn'")), HasSubstr("line 2"));
  EXPECT_THAT(refusal(json("{\n\"dns\": [}")), HasSubstr("line 2"));
  EXPECT_THAT(refusal(json("[]")), HasSubstr("object"));
  EXPECT_THAT(refusal(json("")), HasSubstr("line 1"));
  EXPECT_THAT(refusal(json("{} {}")), HasSubstr("follows"));
  EXPECT_THAT(refusal(json("{\"dns\": null}")), HasSubstr("null"));
}

TEST(Config, PoolsAreSubnetsThatAreApart) {
  const auto pools = [](std::string_view list) {
    return refusal(toml("default-address-pools = [" + std::string(list) + "]"));
  };
  EXPECT_EQ(pools("{base = '10.0.0.0/8', size = 24}, {base = '11.0.0.0/8', size = 8}"), "accepted");
  EXPECT_THAT(pools("{base = '10.0.0.1/8', size = 24}"), HasSubstr("10.0.0.0/8 is the subnet"));
  EXPECT_THAT(pools("{base = '10.0.0.0', size = 24}"), HasSubstr("no subnet"));
  EXPECT_THAT(pools("{base = '10.0.0.0/16', size = 15}"), HasSubstr("from 16 to 30"));
  EXPECT_THAT(pools("{base = '10.0.0.0/16', size = 31}"), HasSubstr("from 16 to 30"));
  EXPECT_THAT(pools("{base = 'fd00::/48', size = 127}"), HasSubstr("from 48 to 126"));
  EXPECT_THAT(pools("{base = '10.0.0.0/16'}"), HasSubstr("needs a base"));
  EXPECT_THAT(pools("{base = '10.0.0.0/16', size = 24, mask = 3}"), HasSubstr("\"mask\""));
  EXPECT_THAT(pools("{base = '10.0.0.0/8', size = 24}, {base = '10.1.0.0/16', size = 24}"),
              HasSubstr("overlaps 10.0.0.0/8"));
  EXPECT_THAT(pools("7"), HasSubstr("{base, size}"));
}

TEST(Config, OptionsOfNetworksAreCheckedAsThoseOfCreate) {
  EXPECT_THAT(
      refusal(toml("[default-network-opts.bridge]\n'com.docker.network.driver.mtoo' = '1'")),
      HasSubstr("com.docker.network.driver.mtu"));
  EXPECT_THAT(refusal(toml("[default-network-opts.bridge]\n'com.docker.network.driver.mtu' = 1")),
              HasSubstr("strings"));
  EXPECT_THAT(refusal(toml("[default-network-opts.brigde]")), HasSubstr("driver \"brigde\""));
}

TEST(Config, DeepNestingIsRefused) {
  std::string deep = "dns = ";
  for (int i = 0; i < 200; ++i) deep += '[';
  for (int i = 0; i < 200; ++i) deep += ']';
  EXPECT_NE(refusal(toml(deep)), "accepted");
  EXPECT_NE(refusal(json("{\"dns\":" + deep.substr(6) + "}")), "accepted");
}

TEST(Config, WhatNeedsARestartIsNamed) {
  const Config running = *toml("state-dir = '/a'\nlog-level = 'info'");
  const Config wanted = *toml("state-dir = '/b'\nlog-level = 'warn'\nip-forward = true");
  EXPECT_THAT(fixed_differences(running, wanted), ElementsAre("state-dir", "ip-forward"));
}

}  // namespace
}  // namespace shoal::node
