#include "worker/hostnet/loopback_relay.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "worker/hostnet/reserve.h"

namespace shoal::worker {
namespace {

constexpr int kPatience = 10'000;  // milliseconds, of what must happen

const EndpointId kId(std::string(25, 'e'));
const Ip kLoopback = *Ip::parse("::1");

sockaddr_in6 at_loopback(uint16_t port) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_addr = in6addr_loopback;
  out.sin6_port = htons(port);
  return out;
}

UniqueFd make_socket() { return UniqueFd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

UniqueFd connect_to(uint16_t port) {
  UniqueFd fd = make_socket();
  const sockaddr_in6 address = at_loopback(port);
  const int done = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return done == 0 ? std::move(fd) : UniqueFd();
}

bool readable(const UniqueFd& fd) {
  pollfd waited{fd.get(), POLLIN, 0};
  return poll(&waited, 1, kPatience) == 1;
}

// All until the other side ends, or resets it.
std::string read_all(const UniqueFd& fd) {
  std::string out;
  std::array<char, 65536> part{};
  while (readable(fd)) {
    const ssize_t size = recv(fd.get(), part.data(), part.size(), 0);
    if (size <= 0) break;
    out.append(part.data(), static_cast<size_t>(size));
  }
  return out;
}

class LoopbackRelayTest : public testing::Test {
 protected:
  LoopbackRelayTest() : relay_(std::move(LoopbackRelay::start().value())), server_(make_socket()) {
    sockaddr_in6 address = at_loopback(0);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(server_.get(), raw, size), 0);
    EXPECT_EQ(listen(server_.get(), 16), 0);
    getsockname(server_.get(), raw, &size);
    const uint16_t to = ntohs(address.sin6_port);
    const PortRequest request{PortProtocol::kTcp, {kLoopback}, {}, {to, to}};
    const auto taken = reservations_.take(kId, "web", {{request}});
    EXPECT_TRUE(taken.ok());
    port_ = taken->at(0).host.first;
    std::vector<LoopbackRelay::Listener> listeners;
    for (auto& [socket, port] : reservations_.loopback_sockets(kId)) {
      listeners.push_back({std::move(socket), kLoopback, port});
    }
    EXPECT_EQ(listeners.size(), 1U);
    relay_->serve(kId, std::move(listeners));
  }

  // The relay listens a moment after it was told to.
  UniqueFd connect_soon() {
    for (int i = 0; i < kPatience; ++i) {
      if (UniqueFd fd = connect_to(port_); fd.valid()) return fd;
      poll(nullptr, 0, 1);
    }
    return {};
  }
  UniqueFd accept_one() {
    EXPECT_TRUE(readable(server_));
    return UniqueFd(accept4(server_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  Reservations reservations_;
  std::unique_ptr<LoopbackRelay> relay_;
  UniqueFd server_;
  uint16_t port_ = 0;
};

TEST_F(LoopbackRelayTest, WhatIsSaidArrivesBothWaysAndEndsWhereItEnds) {
  const UniqueFd client = connect_soon();
  ASSERT_TRUE(client.valid());
  const UniqueFd peer = accept_one();
  const std::string question(3'000'000, 'q');
  const std::string answer(5'000'000, 'a');
  std::thread asks([&] {
    EXPECT_EQ(send(client.get(), question.data(), question.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(question.size()));
    shutdown(client.get(), SHUT_WR);
  });
  EXPECT_EQ(read_all(peer), question);
  asks.join();
  // One way has ended, the other goes on.
  std::thread answers([&] {
    EXPECT_EQ(send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(answer.size()));
    shutdown(peer.get(), SHUT_WR);
  });
  EXPECT_EQ(read_all(client), answer);
  answers.join();
}

TEST_F(LoopbackRelayTest, ManyAtOnceAreKeptApart) {
  std::vector<UniqueFd> clients;
  std::vector<UniqueFd> peers;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(connect_soon());
    ASSERT_TRUE(clients.back().valid());
    peers.push_back(accept_one());
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    const std::string text = "number " + std::to_string(i);
    send(clients[i].get(), text.data(), text.size(), MSG_NOSIGNAL);
    shutdown(clients[i].get(), SHUT_WR);
  }
  for (size_t i = 0; i < peers.size(); ++i) {
    EXPECT_EQ(read_all(peers[i]), "number " + std::to_string(i));
  }
}

TEST_F(LoopbackRelayTest, WhatNobodyAnswersIsClosed) {
  server_ = UniqueFd();
  const UniqueFd client = connect_soon();
  ASSERT_TRUE(client.valid());
  EXPECT_EQ(read_all(client), "");
}

TEST_F(LoopbackRelayTest, WhatIsDroppedEnds) {
  const UniqueFd client = connect_soon();
  ASSERT_TRUE(client.valid());
  const UniqueFd peer = accept_one();
  relay_->drop(kId);
  reservations_.release(kId);
  EXPECT_EQ(read_all(client), "");
  EXPECT_EQ(read_all(peer), "");
  for (int i = 0; i < kPatience && connect_to(port_).valid(); ++i) poll(nullptr, 0, 1);
  EXPECT_FALSE(connect_to(port_).valid());
}

}  // namespace
}  // namespace shoal::worker
