#include "manager/rules/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

using testing::HasSubstr;

TEST(RulesTest, Names) {
  for (const char* good : {"a", "shop", "Shop_1.x-y", "0"}) {
    EXPECT_TRUE(check_name("network", good).ok()) << good;
  }
  EXPECT_TRUE(check_name("network", std::string(63, 'a')).ok());
  for (const char* bad : {"", "-a", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa9"}) {
    EXPECT_EQ(check_name("network", bad).error().code, ErrorClass::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(check_name("network", std::string(64, 'a')).ok());
  EXPECT_EQ(check_name("endpoint", "a\"\nb").error().message,
            "endpoint name \"a??b\" is not possible: 1 to 63 letters, digits, \"_\", \".\" and "
            "\"-\", the first one a letter or digit");
}

TEST(RulesTest, PrintableIsBounded) {
  EXPECT_EQ(printable(std::string(1000, 'x')), std::string(63, 'x') + "...");
  EXPECT_EQ(printable("a\x1b[2J\x7f"), "a?[2J?");
}

TEST(RulesTest, EndpointSpecs) {
  EndpointSpec spec{"web", {"a", "db.example.com", "x_1"}, {}};
  EXPECT_TRUE(check_endpoint_spec(spec).ok());
  for (const std::string& bad :
       {std::string(""), std::string("a..b"), std::string("a."), std::string(".a"),
        std::string("a b"), std::string(64, 'a'), "a." + std::string(64, 'b')}) {
    spec.aliases = {bad};
    EXPECT_THAT(check_endpoint_spec(spec).error().message, HasSubstr("alias")) << bad;
  }
  std::string longest = std::string(63, 'a');
  for (int i = 0; i < 3; ++i) longest += "." + std::string(62, 'b');
  spec.aliases = {longest};
  EXPECT_TRUE(check_endpoint_spec(spec).ok());
  spec.aliases = {longest + "c." + std::string(2, 'd')};
  EXPECT_FALSE(check_endpoint_spec(spec).ok());
  spec.aliases.assign(kMaxAliases, "a");
  EXPECT_TRUE(check_endpoint_spec(spec).ok());
  spec.aliases.assign(kMaxAliases + 1, "a");
  EXPECT_THAT(check_endpoint_spec(spec).error().message, HasSubstr("33 aliases: at most 32"));
  spec.aliases.clear();
  spec.addresses = {*Ip::parse("10.0.0.1"), *Ip::parse("fd00::1")};
  EXPECT_TRUE(check_endpoint_spec(spec).ok());
  spec.addresses.push_back(*Ip::parse("fd00::2"));
  EXPECT_THAT(check_endpoint_spec(spec).error().message, HasSubstr("more than one address"));
}

TEST(RulesTest, NetworkSpecs) {
  NetworkSpec spec;
  spec.name = "shop";
  EXPECT_TRUE(check_network_spec(spec).ok());
  for (const char* reserved : {"bridge", "host", "none", "default", "docker_gwbridge", "ingress"}) {
    spec.name = reserved;
    EXPECT_THAT(check_network_spec(spec).error().message, HasSubstr("reserved")) << reserved;
  }
  spec.ingress = true;
  EXPECT_TRUE(check_network_spec(spec).ok());
  spec.attachable = true;
  EXPECT_THAT(check_network_spec(spec).error().message, HasSubstr("neither attachable"));
}

TEST(RulesTest, LabelsAreBounded) {
  Labels labels;
  for (size_t i = 0; i < kMaxLabels; ++i) labels[std::to_string(i)] = "x";
  EXPECT_TRUE(check_labels("network labels", labels).ok());
  labels["one more"] = "x";
  EXPECT_EQ(check_labels("network labels", labels).error().message,
            "network labels has 129 entries: at most 128 are possible");
  EXPECT_FALSE(check_labels("l", {{"", "x"}}).ok());
  EXPECT_FALSE(check_labels("l", {{"a", std::string(kMaxTextLength + 1, 'x')}}).ok());
  labels.clear();
  for (int i = 0; i < 17; ++i) labels[std::to_string(i)] = std::string(kMaxTextLength, 'x');
  EXPECT_THAT(check_labels("l", labels).error().message, HasSubstr("at most 65536"));
}

TEST(RulesTest, RequestedVni) {
  NetworkSpec spec;
  EXPECT_EQ(*requested_vni(spec), std::nullopt);
  const auto ask = [&](const std::string& text) {
    spec.options[std::string(kVniOption)] = text;
    return requested_vni(spec);
  };
  EXPECT_EQ(ask("5000")->value().value, 5000U);
  EXPECT_EQ(ask("16777215")->value().value, Vni::kMax);
  for (const char* bad : {"", "0", "16777216", "1,2", "x", "-1", "5000 ", "99999999999999"}) {
    EXPECT_THAT(ask(bad).error().message, HasSubstr("is not one VXLAN id")) << bad;
  }
}

}  // namespace
}  // namespace shoal::manager
