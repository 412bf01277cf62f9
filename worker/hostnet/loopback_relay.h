// LoopbackRelay: ports that are published on [::1]. Linux routes no packet from ::1 out of the host
// nor an answer to it in, so the packet filter cannot lead it; whoever connects there is connected
// to the endpoint by this one thread, for all ports together. What is said is moved by splice(2)
// and never seen. TCP only; a relayed connection has the host's address at the endpoint, as one
// that the filter leads from the host has.
//
// It listens on the sockets that hold the ports (reserve.h). Another address than ::1 comes here
// only while the filter does not lead it, and is refused, as if nobody listened.
//
// Thread rule: any thread; connections that are under way end with their endpoint.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/runtime/unique_fd.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "base/types/result.h"

namespace shoal::worker {

class LoopbackRelay {
 public:
  // Each has six descriptors. More are refused.
  static constexpr size_t kMostConnections = 1024;

  struct Listener {
    UniqueFd socket;  // bound; of TCP and IPv6
    Ip to;
    uint16_t port = 0;
  };

  static Result<std::unique_ptr<LoopbackRelay>> start();
  ~LoopbackRelay();

  void serve(const EndpointId& id, std::vector<Listener> listeners);
  // Its sockets are closed when this returns: the port can be bound by another.
  void drop(const EndpointId& id);

 private:
  class Impl;
  explicit LoopbackRelay(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::worker
