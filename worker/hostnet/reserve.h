// Reservations: the ports of this host that are published are bound here, so that no other program
// takes them, and none is published that another has.
//
// A socket is bound, never listened on: what the packet filter does not lead to an endpoint finds
// nobody there. It is the kernel's word that counts: whatever it refuses is refused, naming who has
// the port (found in /proc, on refusal alone). Sockets go with the process: a daemon that starts
// takes them again before it publishes, and what was taken from it meanwhile it holds in its books.
//
// In the namespace of the calling thread. One thread at a time.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/runtime/unique_fd.h"
#include "base/types/id.h"
#include "base/types/result.h"
#include "worker/publish/publish.h"

namespace shoal::worker {

// Of all endpoints; the daemon's descriptors are for other things too.
inline constexpr size_t kMostReservations = 32768;
// Where a port is drawn when any will do: IANA's dynamic ones, Docker's.
inline constexpr PortRange kDrawnPorts{49153, 65535};

class Reservations {
 public:
  // All of them or none. `owner` is for the refusals of others. kAlreadyExists (a port is in use,
  // naming by whom), kInvalidArgument (no address of this host), kResourceExhausted (no port is
  // free, too many), kUnimplemented (SCTP that the kernel has not), kPermissionDenied.
  Result<std::vector<PortBinding>> take(const EndpointId& id, const std::string& owner,
                                        std::span<const PortRequest> requests);
  // As take(), for what was published before: kept in the books also where it cannot be bound.
  Status take_again(const EndpointId& id, const std::string& owner,
                    std::span<const PortBinding> bindings);
  // What is not held is released.
  void release(const EndpointId& id) { held_.erase(id); }

  // Of the endpoint's TCP ports that ::1 is among: the socket, copied, and the endpoint's port.
  std::vector<std::pair<UniqueFd, uint16_t>> loopback_sockets(const EndpointId& id) const;

 private:
  struct Held {
    UniqueFd socket;
    uint16_t port = 0;  // of the endpoint
    bool loopback = false;
  };
  struct Holding {
    std::string owner;
    std::vector<PortBinding> bindings;
    std::vector<Held> sockets;
  };

  Status bind_all(const PortBinding& binding, Holding& holding) const;
  Status take_at(const PortRequest& request, uint16_t first, Holding& holding);
  Status take_one(const PortRequest& request, Holding& holding);
  size_t count() const;

  std::map<EndpointId, Holding> held_;
  uint16_t next_drawn_ = kDrawnPorts.first;
};

}  // namespace shoal::worker
