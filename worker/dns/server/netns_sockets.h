// The resolver's sockets, opened inside another network namespace.
#pragma once

#include <cstdint>
#include <utility>

#include "base/types/result.h"

namespace shoal::worker::dns {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct ResolverSockets {
  Fd udp;
  Fd tcp;  // listening
  uint16_t port = 0;
};

// Opens non-blocking sockets bound to 127.0.0.11 and one port in the namespace of `netns_fd`;
// brings `lo` up when it is down. The work is done by a short-lived thread, because a namespace
// belongs to a thread: the caller's is never touched. kInternal names the step that the system
// refused.
Result<ResolverSockets> open_resolver_sockets(int netns_fd);

}  // namespace shoal::worker::dns
