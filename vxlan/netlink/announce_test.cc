#include "vxlan/netlink/announce.h"

#include <gtest/gtest.h>

namespace shoal::vxlan {
namespace {

const Mac kMac({2, 0, 0, 0, 0, 5});

TEST(Announcement, OfIpv4IsAGratuitousArpReply) {
  const auto frame = render_announcement(Ip::v4({10, 0, 1, 2}), kMac);
  const std::vector<uint8_t> expected = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 5, 8, 6, 0, 1, 8, 0,  6, 4, 0,
      2,    2,    0,    0,    0,    0,    5, 10, 0, 1, 2, 2, 0, 0, 0, 0, 5, 10, 0, 1, 2};
  EXPECT_EQ(frame, expected);
}

TEST(Announcement, OfIpv6HasAChecksumThatAddsUp) {
  const auto ip = Ip::parse("fd01::2");
  const auto frame = render_announcement(*ip, kMac);
  ASSERT_EQ(frame.size(), 14U + 40 + 32);
  EXPECT_EQ(frame[14 + 40], 136);       // neighbour advertisement
  EXPECT_EQ(frame[14 + 40 + 4], 0x20);  // override
  // Addresses, length, next header and body, as RFC 8200 section 8.1 adds them up: all ones.
  uint32_t sum = 58 + 32;
  for (size_t i = 14 + 8; i < frame.size(); i += 2) {
    sum += static_cast<uint32_t>(frame[i] << 8 | frame[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffU);
}

}  // namespace
}  // namespace shoal::vxlan
