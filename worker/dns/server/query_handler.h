// What the listeners of a sandbox hand queries to.
#pragma once

#include <span>

#include "worker/dns/policy/forwarder.h"

namespace shoal::worker::dns {

class QueryHandler {
 public:
  virtual ~QueryHandler() = default;
  // Handles one message of `client`. `out` takes an immediate reply, whose size is returned; 0:
  // there is none, or it comes later by way of ReplyToClient.
  virtual size_t handle_query(const Client& client, ByteView packet, std::span<uint8_t> out) = 0;
  // A TCP connection has ended: what it asked need not be answered.
  virtual void connection_gone(const Client& client) = 0;
};

struct ListenerCounters {
  uint64_t tcp_connections_refused = 0;  // beyond the bound of a sandbox
  uint64_t tcp_idle_closed = 0;
  uint64_t tcp_protocol_errors = 0;  // impossible lengths
  uint64_t replies_unsent = 0;       // the client's socket buffer was full, or it went away
};

}  // namespace shoal::worker::dns
