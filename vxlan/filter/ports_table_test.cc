#include "vxlan/filter/ports_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <cstring>

#include "vxlan/filter/element_batch.h"

namespace shoal::vxlan {
namespace {

using testing::HasSubstr;
using testing::Not;

Ip ip(const std::string& text) { return *Ip::parse(text); }

PortForward forward(const std::string& host, uint16_t first, uint16_t last, const std::string& to,
                    uint16_t to_first) {
  return {6, ip(host), first, last, ip(to), to_first};
}

TEST(PortsTableText, WithoutAPortItIsRemoved) {
  EXPECT_EQ(render_ports_table({}), "table inet shoal-ports\ndelete table inet shoal-ports\n");
}

TEST(PortsTableText, ARangeIsOneElementAndTheRulesAsManyForAThousand) {
  const auto rules = [](const std::vector<PortForward>& forwards) {
    const std::string text = render_ports_table(forwards);
    return text.substr(text.find("  chain"));
  };
  std::vector<PortForward> many;
  for (uint16_t i = 1; i <= 1000; ++i) many.push_back(forward("0.0.0.0", i, i, "172.18.0.2", 80));
  EXPECT_EQ(rules(many), rules({forward("0.0.0.0", 9000, 9999, "172.18.0.2", 9000)}));
  EXPECT_THAT(render_ports_table({{forward("0.0.0.0", 9000, 9999, "172.18.0.2", 9000)}}),
              HasSubstr("elements = { 6 . 9000-9999 : 172.18.0.2 }"));
  EXPECT_THAT(render_ports_table({{forward("::1", 90, 91, "fd00::2", 80)}}),
              HasSubstr("{ ::1 . 6 . 90 : fd00::2 . 80, ::1 . 6 . 91 : fd00::2 . 81 }"));
}

TEST(PortsTableElements, AreOfTheMapOfTheirKind) {
  const auto map_of = [](const PortForward& what) { return elements_of(what).at(0).map; };
  EXPECT_EQ(map_of(forward("0.0.0.0", 80, 80, "172.18.0.2", 80)), "port4");
  EXPECT_EQ(map_of(forward("127.0.0.1", 80, 80, "172.18.0.2", 80)), "at4");
  EXPECT_EQ(map_of(forward("0.0.0.0", 80, 81, "172.18.0.2", 80)), "range4");
  EXPECT_EQ(map_of(forward("fd00::9", 80, 81, "fd00::2", 80)), "range_at6");
  EXPECT_EQ(map_of(forward("::", 80, 81, "fd00::2", 90)), "port6");
  EXPECT_EQ(elements_of(forward("0.0.0.0", 1, 65535, "172.18.0.2", 1)).size(), 1U);
  EXPECT_EQ(elements_of(forward("0.0.0.0", 80, 89, "172.18.0.2", 90)).size(), 10U);
}

TEST(PortsTableElements, AreFieldsOfFourBytes) {
  const MapElement one = elements_of(forward("127.0.0.1", 0x1F90, 0x1F90, "172.18.0.2", 80))[0];
  EXPECT_EQ(one.key, (Bytes{127, 0, 0, 1, 6, 0, 0, 0, 0x1F, 0x90, 0, 0}));
  EXPECT_EQ(one.key_end, Bytes());
  EXPECT_EQ(one.value, (Bytes{172, 18, 0, 2, 0, 80, 0, 0}));
  const MapElement range = elements_of(forward("0.0.0.0", 256, 512, "172.18.0.2", 256))[0];
  EXPECT_EQ(range.key, (Bytes{6, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(range.key_end, (Bytes{6, 0, 0, 0, 2, 0, 0, 0}));
  EXPECT_EQ(range.value, (Bytes{172, 18, 0, 2}));
}

// Sizes of the messages of a batch.
std::vector<uint32_t> messages_of(const Bytes& batch) {
  std::vector<uint32_t> out;
  for (size_t at = 0; at < batch.size(); at += out.back()) {
    nlmsghdr header{};
    std::memcpy(&header, batch.data() + at, sizeof header);
    out.push_back(header.nlmsg_len);
    EXPECT_EQ(header.nlmsg_len % 4, 0U);
    EXPECT_EQ(header.nlmsg_seq, 7 + out.size() - 1);
  }
  return out;
}

TEST(ElementBatch, IsOneTransactionWhoseMessagesAreBounded) {
  std::vector<ElementChange> changes;
  for (const MapElement& each : elements_of(forward("::1", 1, 4096, "fd00::2", 2))) {
    changes.push_back({true, each});
  }
  changes.push_back({false, elements_of(forward("::1", 5000, 5000, "fd00::2", 2))[0]});
  const std::vector<uint32_t> sizes = messages_of(encode_element_batch("shoal-ports", changes, 7));
  EXPECT_EQ(sizes.size(), 2 + 1 + 11U) << "its ends, a removal, and eleven of additions";
  for (const uint32_t size : sizes) EXPECT_LT(size, 65536U);
}

TEST(ElementBatch, WhatTheKernelListsIsReadAndWhatIsNoneIsRefused) {
  const MapElement one = elements_of(forward("127.0.0.1", 80, 80, "172.18.0.2", 80))[0];
  const MapElement range = elements_of(forward("::1", 80, 90, "fd00::2", 80))[0];
  for (const MapElement& each : {one, range}) {
    const std::vector<ElementChange> changes = {{true, each}};
    const Bytes batch = encode_element_batch("shoal-ports", changes, 7);
    const std::vector<uint32_t> sizes = messages_of(batch);
    const ByteView message = ByteView(batch).subspan(sizes[0], sizes[1]);
    EXPECT_EQ(*parse_elements(message, each.map), std::vector<MapElement>{each});
    for (size_t cut = 0; cut < message.size(); ++cut) {
      (void)parse_elements(message.subspan(0, cut), each.map);
    }
  }
  EXPECT_EQ(parse_elements({}, "at4").error().code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::vxlan
