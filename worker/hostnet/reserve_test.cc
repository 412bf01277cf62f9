#include "worker/hostnet/reserve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace shoal::worker {
namespace {

using testing::HasSubstr;

EndpointId id(int number) { return EndpointId(std::string(24, 'e') + std::to_string(number)); }
Ip ip(const std::string& text) { return *Ip::parse(text); }

PortRequest fixed(const std::string& text) { return request_of(*parse_port_binding(text)); }

PortRequest any(uint16_t port = 80) {
  return {PortProtocol::kTcp, {ip("127.0.0.1")}, {}, {port, port}};
}

// Another program's socket.
int bind_here(uint16_t port, bool reuse = false) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  if (reuse) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound =
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  return bound ? fd.release() : -1;
}

TEST(ReservationsTest, AnotherProgramDoesNotGetTheNumber) {
  Reservations reservations;
  const auto taken = reservations.take(id(1), "web", {{any()}});
  ASSERT_TRUE(taken.ok()) << taken.error().message;
  const uint16_t port = taken->at(0).host.first;
  EXPECT_GE(port, kDrawnPorts.first);
  EXPECT_EQ(taken->at(0).str(), "127.0.0.1:" + std::to_string(port) + ":80/tcp");
  EXPECT_EQ(bind_here(port), -1);
  EXPECT_EQ(bind_here(port, true), -1) << "nor by asking to reuse it";
  reservations.release(id(1));
  const UniqueFd free(bind_here(port));
  EXPECT_TRUE(free.valid());
}

TEST(ReservationsTest, APortInUseIsRefusedNamingItsOwner) {
  Reservations reservations;
  const uint16_t port = reservations.take(id(1), "web", {{any()}})->at(0).host.first;
  reservations.release(id(1));
  const UniqueFd other(bind_here(port));
  listen(other.get(), 1);
  ASSERT_TRUE(other.valid());
  const std::string all = "0.0.0.0:" + std::to_string(port) + ":80/tcp";
  const auto refused = reservations.take(id(1), "web", {{any(), fixed(all)}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorClass::kAlreadyExists);
  EXPECT_THAT(refused.error().message, HasSubstr("is in use by "));
  EXPECT_THAT(refused.error().message, HasSubstr("(pid " + std::to_string(getpid()) + ")"));
  // The first of a range that is free, and nothing of the refused attempt is held.
  const PortRequest range{PortProtocol::kTcp,
                          {ip("127.0.0.1")},
                          PortRange{port, static_cast<uint16_t>(port + 9)},
                          {80, 80}};
  const auto next = reservations.take(id(1), "web", {{range}});
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_GT(next->at(0).host.first, port);
  const auto none = reservations.take(
      id(2), "web",
      {{PortRequest{PortProtocol::kTcp, {ip("127.0.0.1")}, PortRange{port, port}, {80, 80}}}});
  EXPECT_FALSE(none.ok());
}

TEST(ReservationsTest, AnEndpointOfOursIsNamed) {
  Reservations reservations;
  const auto taken = reservations.take(id(1), "web of network front", {{any()}});
  const std::string port = std::to_string(taken->at(0).host.first);
  const auto refused = reservations.take(id(2), "b", {{fixed("0.0.0.0:" + port + ":81/tcp")}});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("by endpoint web of network front"));
}

TEST(ReservationsTest, WhatWasPublishedStaysInTheBooks) {
  Reservations reservations;
  const uint16_t port = reservations.take(id(1), "web", {{any()}})->at(0).host.first;
  reservations.release(id(1));
  const std::string binding = "127.0.0.1:" + std::to_string(port) + ":80/tcp";
  {
    const UniqueFd thief(bind_here(port));
    ASSERT_TRUE(thief.valid());
    const Status again = reservations.take_again(id(1), "web", {{*parse_port_binding(binding)}});
    EXPECT_EQ(again.error().code, ErrorClass::kAlreadyExists);
  }
  EXPECT_THAT(reservations.take(id(2), "b", {{fixed(binding)}}).error().message,
              HasSubstr("by endpoint web"));
}

TEST(ReservationsTest, AnAddressThatIsNotTheHostsIsRefused) {
  Reservations reservations;
  const auto refused = reservations.take(id(1), "web", {{fixed("192.0.2.77:8080:80/tcp")}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorClass::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("this host has no address 192.0.2.77"));
}

}  // namespace
}  // namespace shoal::worker
