#include "worker/publish/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::worker {
namespace {

using testing::HasSubstr;

const PublishGround kBoth{"front", false, {}, true, true};
const PublishGround kV4{"front", false, {}, true, false};

Ip ip(const std::string& text) { return *Ip::parse(text); }

std::string refusal(const std::string& text) {
  const auto spec = parse_port_spec(text);
  EXPECT_FALSE(spec.ok()) << text;
  if (spec.ok()) return {};
  EXPECT_EQ(spec.error().code, ErrorClass::kInvalidArgument);
  return spec.error().message;
}

TEST(PortSpecText, EveryFormThatDockerKnows) {
  const auto tcp = PortProtocol::kTcp;
  const std::vector<std::pair<std::string, PortSpec>> cases = {
      {"80", {{}, {}, {80, 80}, tcp}},
      {":80", {{}, {}, {80, 80}, tcp}},
      {"0:80", {{}, {}, {80, 80}, tcp}},
      {"8080:80", {{}, PortRange{8080, 8080}, {80, 80}, tcp}},
      {"8080:80/udp", {{}, PortRange{8080, 8080}, {80, 80}, PortProtocol::kUdp}},
      {"8080:80/SCTP", {{}, PortRange{8080, 8080}, {80, 80}, PortProtocol::kSctp}},
      {"127.0.0.1::80", {ip("127.0.0.1"), {}, {80, 80}, tcp}},
      {"127.0.0.1:8080:80", {ip("127.0.0.1"), PortRange{8080, 8080}, {80, 80}, tcp}},
      {"[::1]:8080:80", {ip("::1"), PortRange{8080, 8080}, {80, 80}, tcp}},
      {"::1:8080:80", {ip("::1"), PortRange{8080, 8080}, {80, 80}, tcp}},
      {"[::]::80", {ip("::"), {}, {80, 80}, tcp}},
      {"8000-8009:9000-9009", {{}, PortRange{8000, 8009}, {9000, 9009}, tcp}},
      {"8000-8009:80", {{}, PortRange{8000, 8009}, {80, 80}, tcp}},
      {"9000-9009", {{}, {}, {9000, 9009}, tcp}},
      {"1-65535:1-65535/udp", {{}, PortRange{1, 65535}, {1, 65535}, PortProtocol::kUdp}}};
  for (const auto& [text, expected] : cases) {
    const auto spec = parse_port_spec(text);
    ASSERT_TRUE(spec.ok()) << text << ": " << spec.error().message;
    EXPECT_EQ(*spec, expected) << text;
  }
}

TEST(PortSpecText, RefusalsSayWhatIsWrong) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("8080:"), HasSubstr("the endpoint's port is missing"));
  EXPECT_THAT(refusal("/tcp"), HasSubstr("the endpoint's port is missing"));
  EXPECT_THAT(refusal("8080:0"), HasSubstr("from 1 to 65535"));
  EXPECT_THAT(refusal("65536:80"), HasSubstr("the host's \"65536\" is not a port"));
  EXPECT_THAT(refusal("99999999999999999999"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("-80"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("+80"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("80-"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("1-2-3"), HasSubstr("not a port"));
  EXPECT_THAT(refusal(" 80"), HasSubstr("not a port"));
  EXPECT_THAT(refusal("90-80"), HasSubstr("ends before it begins"));
  EXPECT_THAT(refusal("8000-8009:80-81"), HasSubstr("has 10 ports and the endpoint's 2"));
  EXPECT_THAT(refusal("8000:80-81"), HasSubstr("has 1 ports"));
  EXPECT_THAT(refusal("80/icmp"), HasSubstr("\"icmp\" is none of tcp, udp and sctp"));
  EXPECT_THAT(refusal("80/"), HasSubstr("none of tcp"));
  EXPECT_THAT(refusal("80/tcp/udp"), HasSubstr("none of tcp"));
  EXPECT_THAT(refusal("localhost:8080:80"), HasSubstr("\"localhost\" is not an address"));
  EXPECT_THAT(refusal("[127.0.0.1]:8080:80"), HasSubstr("is not an address"));
  EXPECT_THAT(refusal("[::1:8080:80"), HasSubstr("is not an address"));
  EXPECT_THAT(refusal("::80"), HasSubstr("missing"));
  EXPECT_THAT(refusal("224.0.0.1:80:80"), HasSubstr("multicast"));
  EXPECT_THAT(refusal("80\n\"x"), HasSubstr("\"80??x\""));
  EXPECT_LT(refusal(std::string(1 << 20, '1')).size(), 200U);
}

TEST(PortBindings, AreReadAsTheyAreShown) {
  for (const char* text :
       {"0.0.0.0:8080:80/tcp", "[::]:53:5353/udp", "127.0.0.1:8000-8009:9000-9009/sctp"}) {
    const auto binding = parse_port_binding(text);
    ASSERT_TRUE(binding.ok()) << text;
    EXPECT_EQ(binding->str(), text);
  }
  for (const char* text : {"8080:80", "0.0.0.0::80", "0.0.0.0:80-90:80"}) {
    EXPECT_FALSE(parse_port_binding(text).ok()) << text;
  }
}

TEST(PortBindings, AreInTheWayAsTheKernelSaysIt) {
  const auto clash = [](const std::string& a, const std::string& b) {
    const bool ab = in_the_way(*parse_port_binding(a), *parse_port_binding(b));
    EXPECT_EQ(ab, in_the_way(*parse_port_binding(b), *parse_port_binding(a)));
    return ab;
  };
  EXPECT_TRUE(clash("0.0.0.0:80:1", "0.0.0.0:80:2"));
  EXPECT_TRUE(clash("0.0.0.0:80:1", "127.0.0.1:80:2"));
  EXPECT_TRUE(clash("0.0.0.0:80-90:80-90", "127.0.0.1:90-99:90-99"));
  EXPECT_FALSE(clash("0.0.0.0:80:1", "0.0.0.0:80:1/udp"));
  EXPECT_FALSE(clash("127.0.0.1:80:1", "127.0.0.2:80:1"));
  EXPECT_FALSE(clash("0.0.0.0:80:1", "[::]:80:1"));
  EXPECT_TRUE(clash("[::]:80:1", "[::1]:80:1"));
  EXPECT_FALSE(clash("0.0.0.0:80-89:80-89", "0.0.0.0:90:90"));
}

TEST(PlanPorts, EveryAddressIsBothFamiliesWhereTheEndpointHasThem) {
  const auto both = plan_ports({"8080:80"}, kBoth);
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->at(0).host_ips, (std::vector<Ip>{Ip(), ip("::")}));
  EXPECT_EQ(plan_ports({"8080:80"}, kV4)->at(0).host_ips, std::vector<Ip>{Ip()});
  EXPECT_EQ(plan_ports({"0.0.0.0:8080:80"}, kBoth)->at(0).host_ips, std::vector<Ip>{Ip()});
  EXPECT_EQ(plan_ports({"[::]:8080:80"}, kBoth)->at(0).host_ips, std::vector<Ip>{ip("::")});
  PublishGround here = kBoth;
  here.default_ip = ip("127.0.0.1");
  EXPECT_EQ(plan_ports({"8080:80"}, here)->at(0).host_ips, std::vector<Ip>{ip("127.0.0.1")});
}

TEST(PlanPorts, WhatCannotBeReachedIsRefused) {
  const auto why = [](const std::vector<std::string>& specs, const PublishGround& ground) {
    const auto planned = plan_ports(specs, ground);
    return planned.ok() ? std::string() : planned.error().message;
  };
  EXPECT_THAT(why({"[::1]:8080:80"}, kV4), HasSubstr("has no IPv6 address on network \"front\""));
  PublishGround internal = kBoth;
  internal.internal = true;
  EXPECT_THAT(why({"80"}, internal), HasSubstr("internal"));
  EXPECT_THAT(why({"8080:80", "127.0.0.1:8080:81"}, kBoth), HasSubstr("0.0.0.0:8080:80/tcp"));
  EXPECT_EQ(why({"8080:80", "8080:80/udp"}, kBoth), "");
  EXPECT_EQ(why({"1-4096:1-4096"}, kBoth), "");
  EXPECT_EQ(plan_ports({"1-4096:1-4096", "80"}, kBoth).error().code,
            ErrorClass::kResourceExhausted);
}

TEST(PlanPorts, ChoicesComeAfterWhatIsFixed) {
  const auto planned = plan_ports({"80-81", "9000-9009:90", "8080:80"}, kV4);
  ASSERT_TRUE(planned.ok());
  ASSERT_EQ(planned->size(), 4U);
  EXPECT_EQ(planned->at(0).host, (PortRange{8080, 8080}));
  EXPECT_EQ(planned->at(1).port, (PortRange{80, 80}));
  EXPECT_EQ(planned->at(2).port, (PortRange{81, 81}));
  EXPECT_FALSE(planned->at(2).host);
  EXPECT_EQ(planned->at(3).host, (PortRange{9000, 9009}));
}

}  // namespace
}  // namespace shoal::worker
