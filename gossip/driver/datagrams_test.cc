#include "gossip/driver/datagrams.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "gossip/driver/rate_limit.h"

namespace shoal::gossip {
namespace {

using boost::asio::ip::udp;

struct DatagramsTest : testing::Test {
  Datagrams make() {
    udp::socket socket(context, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    socket.non_blocking(true);
    return Datagrams(std::move(socket), Family::kV4);
  }
  static HostPort place(Datagrams& of) {
    return {Ip::v4(0x7f000001), of.socket().local_endpoint().port()};
  }
  static void put(Datagrams& by, const HostPort& to, uint8_t byte, size_t size) {
    const std::span<uint8_t> out = by.next().first(size);
    std::fill(out.begin(), out.end(), byte);
    by.add(to, size);
  }
  boost::asio::io_context context;
};

TEST_F(DatagramsTest, TravelInBatches) {
  Datagrams from = make();
  Datagrams to = make();
  EXPECT_TRUE(to.receive().empty());
  for (uint8_t i = 0; i < 70; ++i) put(from, place(to), i, 100U + i);
  EXPECT_EQ(from.sent().packets, 64U) << "full batches go at once";
  from.flush();
  from.flush();
  EXPECT_EQ(from.sent().packets, 70U);
  uint8_t next = 0;
  for (const size_t batch : {32U, 32U, 6U, 0U}) {
    const auto received = to.receive();
    ASSERT_EQ(received.size(), batch);
    for (const Datagrams::Received& one : received) {
      EXPECT_EQ(one.from, place(from));
      EXPECT_TRUE(one.whole);
      ASSERT_EQ(one.packet.size(), 100U + next);
      EXPECT_EQ(one.packet.back(), next++);
    }
  }
}

TEST_F(DatagramsTest, WhatIsRefusedIsCountedAndHoldsNothingUp) {
  Datagrams from = make();
  Datagrams to = make();
  put(from, {Ip::parse("fd00::1").value(), 1}, 1, 10);  // another family
  put(from, {Ip::v4(0x7f000001), 0}, 2, 10);            // no port
  put(from, place(to), 3, 10);
  from.flush();
  EXPECT_EQ(from.sent().failed, 2U);
  EXPECT_EQ(from.sent().packets, 1U);
  ASSERT_EQ(to.receive().size(), 1U);

  udp::socket large(context, udp::v4());
  large.send_to(boost::asio::buffer(Bytes(kMaxDatagram + 1)), to.socket().local_endpoint());
  put(from, place(to), 4, kMaxDatagram);
  from.flush();
  const auto received = to.receive();
  ASSERT_EQ(received.size(), 2U);
  EXPECT_FALSE(received[0].whole);
  EXPECT_TRUE(received[1].whole);
  EXPECT_EQ(received[1].packet.size(), kMaxDatagram);
}

TEST(RateLimit, EachAddressHasItsOwnShare) {
  RateLimit limit(7);
  Instant now{1'000'000'000};
  const auto admitted = [&](uint32_t from, size_t packets) {
    size_t count = 0;
    for (size_t i = 0; i < packets; ++i) count += limit.admit(Ip::v4(from), now) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(admitted(1, 10'000), RateLimit::kBurst);
  EXPECT_EQ(admitted(2, 100), 100U) << "a flood is its sender's alone";
  size_t in_a_second = 0;
  for (int i = 0; i < 10'000; ++i) {
    now = now + std::chrono::microseconds(100);
    in_a_second += admitted(1, 1);
  }
  EXPECT_NEAR(static_cast<double>(in_a_second), RateLimit::kPerSecond, 2);
  now = now + std::chrono::seconds(60);
  EXPECT_EQ(admitted(1, 10'000), RateLimit::kBurst) << "and never more than that";
}

TEST(RateLimit, ManyForgedAddressesShareOne) {
  RateLimit limit(7);
  Instant now{1'000'000'000};
  size_t count = 0;
  for (uint32_t from = 0; from < 200'000; ++from) count += limit.admit(Ip::v4(from), now) ? 1 : 0;
  EXPECT_LE(count, RateLimit::kPlaces + RateLimit::kSharedPerSecond);
  EXPECT_GT(count, RateLimit::kPlaces / 2);
  now = now + std::chrono::seconds(3);
  EXPECT_TRUE(limit.admit(Ip::v4(0xc0000201), now)) << "places come free again";
}

}  // namespace
}  // namespace shoal::gossip
