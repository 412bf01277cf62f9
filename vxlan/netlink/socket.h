// NetlinkSocket: requests and dumps over rtnetlink. NetlinkMonitor: "something changed here".
//
// Both stay in the namespace they were opened in, whatever their thread does later. One thread at a
// time. An answer is waited for: the kernel answers while it handles the request, so a call takes
// as long as the change does (waiting for the kernel's rtnl lock included).
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/types/result.h"
#include "vxlan/netlink/message.h"
#include "vxlan/netlink/namespace.h"

struct nl_sock;

namespace shoal::vxlan {

struct NlSockFree {
  void operator()(nl_sock* socket) const;
};
using NlSockPtr = std::unique_ptr<nl_sock, NlSockFree>;

class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(const NamespaceFd& space);
  // In the calling thread's namespace.
  static Result<NetlinkSocket> open_here();

  // Sends one request and waits for its acknowledgement. `action` completes "cannot ...".
  Status request(Message& message, const std::string& action);
  // Many requests with few system calls; one Status for each, in order. Every one is tried.
  // Returns 0 or an errno for each.
  std::vector<int> batch(std::vector<Message>& messages);
  // Calls `each` for every message of the dump; a dump that the kernel interrupted because the
  // table changed is started over (`restart` is called first, to forget what came).
  Status dump(Message& message, const std::string& action,
              const std::function<void(const nlmsghdr*)>& each,
              const std::function<void()>& restart);
  // A request answered by one message (RTM_GETLINK by name).
  Status get(Message& message, const std::string& action,
             const std::function<void(const nlmsghdr*)>& each);

 private:
  explicit NetlinkSocket(NlSockPtr socket);
  Status send(const void* data, size_t size);
  class Answer;
  // Reads one datagram and returns its size.
  Result<size_t> receive(Answer& answer);
  enum class DumpEnd { kDone, kInterrupted };
  Result<DumpEnd> read_dump(uint32_t sequence, const std::string& action,
                            const std::function<void(const nlmsghdr*)>& each);

  NlSockPtr socket_;
  uint32_t sequence_ = 0;
};

class NetlinkMonitor {
 public:
  // `groups`: RTNLGRP_....
  static Result<NetlinkMonitor> open(const NamespaceFd& space, const std::vector<int>& groups);
  static Result<NetlinkMonitor> open_here(const std::vector<int>& groups);
  // Of nftables' rules instead. An error when the kernel lacks nftables.
  static Result<NetlinkMonitor> open_rules_here();

  int fd() const;  // readable when there is something to drain
  // Reads all that waits. True when anything came, also when the kernel had to drop some (ENOBUFS):
  // what came is not looked at, the pass it wakes looks at the whole state.
  bool drain();

 private:
  explicit NetlinkMonitor(NlSockPtr socket) : socket_(std::move(socket)) {}
  static Result<NetlinkMonitor> watch(NlSockPtr socket, const std::vector<int>& groups);
  NlSockPtr socket_;
};

}  // namespace shoal::vxlan
