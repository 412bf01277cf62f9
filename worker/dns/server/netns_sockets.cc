#include "worker/dns/server/netns_sockets.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

namespace shoal::worker::dns {
namespace {

constexpr uint32_t kResolverAddress = 0x7f00000b;  // 127.0.0.11
constexpr int kListenBacklog = 64;
// The free UDP port drawn may be taken for TCP; so often in a row it is not by chance.
constexpr int kPortAttempts = 16;
// A burst of small datagrams (each is charged about 770 bytes) while the strand is busy for a
// while.
constexpr int kReceiveBuffer = 1 << 20;

Error system_error(const char* step) {
  const int code = errno;
  return {code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM
              ? ErrorClass::kResourceExhausted
              : ErrorClass::kInternal,
          std::string("resolver sockets: ") + step + ": " + std::strerror(code)};
}

Status bring_lo_up(int socket_fd) {
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (ioctl(socket_fd, SIOCGIFFLAGS, &request) != 0) return system_error("read flags of lo");
  if ((request.ifr_flags & IFF_UP) != 0) return ok_status();
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(socket_fd, SIOCSIFFLAGS, &request) != 0) return system_error("set lo up");
  return ok_status();
}

sockaddr_in resolver_address(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(kResolverAddress);
  return address;
}

bool bind_to(int fd, uint16_t port) {
  const sockaddr_in address = resolver_address(port);
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Result<ResolverSockets> open_here() {
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    ResolverSockets sockets;
    sockets.udp = Fd(socket(AF_INET, SOCK_DGRAM | kFlags, 0));
    sockets.tcp = Fd(socket(AF_INET, SOCK_STREAM | kFlags, 0));
    if (!sockets.udp.valid() || !sockets.tcp.valid()) return system_error("socket");
    if (const Status up = bring_lo_up(sockets.udp.get()); !up) return up.error();
    // Beyond the system's bound where we may; a refusal costs nothing but room.
    setsockopt(sockets.udp.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer,
               sizeof kReceiveBuffer);
    if (!bind_to(sockets.udp.get(), 0)) return system_error("bind UDP to 127.0.0.11");
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    if (getsockname(sockets.udp.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
      return system_error("getsockname");
    }
    sockets.port = ntohs(bound.sin_port);
    if (!bind_to(sockets.tcp.get(), sockets.port)) {
      if (errno == EADDRINUSE) continue;
      return system_error("bind TCP to 127.0.0.11");
    }
    if (listen(sockets.tcp.get(), kListenBacklog) != 0) {
      if (errno == EADDRINUSE) continue;
      return system_error("listen");
    }
    return sockets;
  }
  return Error{ErrorClass::kResourceExhausted,
               "resolver sockets: no port of 127.0.0.11 is free for both UDP and TCP"};
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Result<ResolverSockets> open_resolver_sockets(int netns_fd) {
  Result<ResolverSockets> result = internal_error("resolver sockets: not opened");
  std::thread helper([&] {
    if (setns(netns_fd, CLONE_NEWNET) != 0) {
      result = system_error("enter the network namespace");
    } else {
      result = open_here();
    }
  });
  helper.join();
  return result;
}

}  // namespace shoal::worker::dns
