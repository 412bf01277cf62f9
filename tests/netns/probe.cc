#include "tests/netns/probe.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

namespace shoal::testing {
namespace {

using vxlan::NamespaceFd;
using vxlan::UniqueFd;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_sockaddr(const Ip& ip, uint16_t port) {
  SocketAddress address;
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes().data(), 4);
    address.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.bytes().data(), 16);
    address.size = sizeof v6;
  }
  return address;
}

UniqueFd open_socket(const NamespaceFd& space, const Ip& ip, int type, int protocol) {
  int fd = -1;
  (void)vxlan::run_in_namespace(space, [&]() -> Status {
    fd = socket(ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, protocol);
    return ok_status();
  }).ok();
  if (fd < 0) throw std::runtime_error("socket");
  return UniqueFd(fd);
}

bool readable(int fd, std::chrono::milliseconds timeout) {
  pollfd poller{fd, POLLIN, 0};
  return poll(&poller, 1, static_cast<int>(timeout.count())) == 1;
}

uint16_t checksum(const std::vector<uint8_t>& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  if (bytes.size() % 2 != 0) sum += static_cast<uint32_t>(bytes.back() << 8);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

std::vector<uint8_t> echo_request(const Ip& to, size_t size, uint16_t id) {
  std::vector<uint8_t> packet(size, 0x5a);
  icmphdr header{};
  header.type = to.is_v4() ? static_cast<uint8_t>(ICMP_ECHO) : ICMP6_ECHO_REQUEST;
  header.un.echo.id = id;
  std::memcpy(packet.data(), &header, sizeof header);
  if (to.is_v4()) {
    header.checksum = checksum(packet);
    std::memcpy(packet.data(), &header, sizeof header);
  }
  return packet;
}

}  // namespace

bool ping(const NamespaceFd& from, const Ip& to, size_t size, std::chrono::milliseconds timeout) {
  static uint16_t next_id = static_cast<uint16_t>(getpid());
  const uint16_t id = ++next_id;
  const UniqueFd fd =
      open_socket(from, to, SOCK_RAW, to.is_v4() ? static_cast<int>(IPPROTO_ICMP) : IPPROTO_ICMPV6);
  // Never fragmented, and what was learnt of the path is not believed: each size is tried.
  const int probe = IP_PMTUDISC_PROBE;
  const int on = 1;
  if (to.is_v4()) {
    setsockopt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
  } else {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe);
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof on);
  }
  const size_t ip_header = to.is_v4() ? 20 : 40;
  const auto packet = echo_request(to, size - ip_header, id);
  SocketAddress address = to_sockaddr(to, 0);
  if (sendto(fd.get(), packet.data(), packet.size(), 0, address.get(), address.size) < 0) {
    return false;
  }
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::vector<uint8_t> answer(65536);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !readable(fd.get(), left)) return false;
    const ssize_t got = recv(fd.get(), answer.data(), answer.size(), 0);
    const size_t offset = to.is_v4() ? ip_header : 0;  // IPv6 raw sockets give no header
    if (got != static_cast<ssize_t>(packet.size() + offset)) continue;
    icmphdr header{};
    std::memcpy(&header, answer.data() + offset, sizeof header);
    const uint8_t reply = to.is_v4() ? static_cast<uint8_t>(ICMP_ECHOREPLY) : ICMP6_ECHO_REPLY;
    if (header.type == reply && header.un.echo.id == id) return true;
  }
}

bool udp_echo(const NamespaceFd& from, const NamespaceFd& at, const Ip& address, uint16_t port,
              uint16_t server_port) {
  const UniqueFd server = open_socket(at, address, SOCK_DGRAM, 0);
  const UniqueFd client = open_socket(from, address, SOCK_DGRAM, 0);
  SocketAddress bound = to_sockaddr(address, server_port);
  SocketAddress target = to_sockaddr(address, port);
  if (bind(server.get(), bound.get(), bound.size) != 0) return false;
  // Connected: only an answer from the address and port asked is received.
  if (connect(client.get(), target.get(), target.size) != 0) return false;
  char data[] = "there and back";
  if (send(client.get(), data, sizeof data, 0) < 0) return false;
  if (!readable(server.get(), kProbeTimeout)) return false;
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  const ssize_t size = recvfrom(server.get(), data, sizeof data, 0, peer.get(), &peer.size);
  if (size < 0) return false;
  sendto(server.get(), data, static_cast<size_t>(size), 0, peer.get(), peer.size);
  return readable(client.get(), kProbeTimeout) &&
         recv(client.get(), data, sizeof data, 0) == static_cast<ssize_t>(sizeof data);
}

TcpFlow::TcpFlow(const NamespaceFd& from, const NamespaceFd& at, const Ip& address, uint16_t port,
                 uint16_t server_port) {
  const UniqueFd listener = open_socket(at, address, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SocketAddress bound = to_sockaddr(address, server_port == 0 ? port : server_port);
  if (bind(listener.get(), bound.get(), bound.size) != 0 || listen(listener.get(), 1) != 0) {
    throw std::runtime_error("cannot listen");
  }
  client_ = open_socket(from, address, SOCK_STREAM, 0);
  const int timeout_ms = static_cast<int>(2 * kProbeTimeout.count());
  setsockopt(client_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  const timeval timeout{2, 0};
  setsockopt(client_.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  SocketAddress target = to_sockaddr(address, port);
  if (connect(client_.get(), target.get(), target.size) != 0) {
    throw std::runtime_error(std::string("cannot connect: ") + strerror(errno));
  }
  server_ = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

bool TcpFlow::carry(size_t size) {
  std::vector<uint8_t> out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  std::thread writer([&] {
    for (size_t sent = 0; sent < size;) {
      const ssize_t now = send(client_.get(), out.data() + sent, size - sent, MSG_NOSIGNAL);
      if (now <= 0) return;
      sent += static_cast<size_t>(now);
    }
  });
  std::vector<uint8_t> in(size);
  size_t got = 0;
  while (got < size && readable(server_.get(), 5 * kProbeTimeout)) {
    const ssize_t now = recv(server_.get(), in.data() + got, size - got, 0);
    if (now <= 0) break;
    got += static_cast<size_t>(now);
  }
  writer.join();
  return got == size && in == out;
}

}  // namespace shoal::testing
