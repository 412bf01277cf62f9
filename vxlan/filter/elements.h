// NetfilterSocket: what changes often in the host's packet filter, a message at a time: elements of
// the maps of published ports, and connections to forget. Cost is that of what changes.
//
// Stays in the namespace it was opened in. One thread at a time. The kernel answers while it
// handles a request, so a call takes as long as the change does.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/runtime/unique_fd.h"
#include "base/types/result.h"
#include "vxlan/filter/element_batch.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::vxlan {

class NetfilterSocket {
 public:
  static Result<NetfilterSocket> open(const NamespaceFd& space);

  // All or nothing. kNotFound (an element to remove, the table), kAlreadyExists (one to add).
  Status change(std::string_view table, std::span<const ElementChange> changes);
  // kNotFound when there is no such table or map.
  Result<std::vector<MapElement>> list(std::string_view table, std::string_view map);
  // Forgets every tracked connection that `address` answers, whoever began it.
  Status forget_answers(const Ip& address);
  // That was begun to `port` of `address` (unspecified: any of its family).
  Status forget_asked(uint8_t protocol, const Ip& address, uint16_t port);

 private:
  explicit NetfilterSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Status send(const Bytes& message, const std::string& action);
  // The next datagram; empty when none waits.
  Result<ByteView> receive(const std::string& action);
  Status read_answers(const std::string& action);

  UniqueFd fd_;
  uint32_t sequence_ = 1;
  Bytes buffer_;
};

}  // namespace shoal::vxlan
