// Real packets between namespaces: sockets opened inside, used from the test's thread.
#pragma once

#include <chrono>
#include <string>

#include "base/types/ip.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::testing {

inline constexpr std::chrono::milliseconds kProbeTimeout{1000};

// One echo request whose IP packet has `size` bytes (at least 28 or 48) and must not be fragmented.
// True when the answer of the same size came.
bool ping(const vxlan::NamespaceFd& from, const Ip& to, size_t size = 84,
          std::chrono::milliseconds timeout = kProbeTimeout);

// A datagram there and back, through a socket opened in `at` on `address`. With `server_port` other
// than `port`, the datagram is sent to `port` and must be redirected; the answer must come from
// `port`.
bool udp_echo(const vxlan::NamespaceFd& from, const vxlan::NamespaceFd& at, const Ip& address,
              uint16_t port, uint16_t server_port);

// A TCP connection that stays open.
class TcpFlow {
 public:
  // Throws when it cannot be made.
  TcpFlow(const vxlan::NamespaceFd& from, const vxlan::NamespaceFd& at, const Ip& address,
          uint16_t port = 7, uint16_t server_port = 0);
  // Sends `size` bytes and compares what arrives.
  bool carry(size_t size);

 private:
  vxlan::UniqueFd client_;
  vxlan::UniqueFd server_;
};

}  // namespace shoal::testing
