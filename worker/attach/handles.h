// What the data plane keeps open: one handle per overlay and per endpoint, and the epoll set that
// tells when one of them changed. Owned by the data plane's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vxlan/model/model.h"
#include "vxlan/netlink/namespace.h"
#include "vxlan/netlink/socket.h"
#include "worker/attach/namespace_check.h"

namespace shoal::worker {

// An overlay namespace with the sockets that live in it.
class OverlayHandle {
 public:
  // Opens the namespace at `path`, or makes it.
  static Result<OverlayHandle> open(const std::string& path);

  vxlan::NamespaceFd space;
  vxlan::NetlinkSocket socket;
  vxlan::NetlinkMonitor monitor;
  vxlan::UniqueFd announcer;  // sends from br0
  // What the kernel is believed to hold: the last state applied without an error. Not set: look.
  std::optional<vxlan::DesiredOverlay> applied;
  uint64_t token = 0;  // in the WatchSet
};

// An endpoint's namespace with the sockets that live in it.
class EndpointHandle {
 public:
  static Result<EndpointHandle> open(const NamespaceRef& ref);

  NamespaceRef requested;  // as the state has it; `opened` has the completed one
  OpenedNamespace opened;
  vxlan::NetlinkSocket socket;
  vxlan::NetlinkMonitor monitor;
  std::optional<vxlan::NetlinkMonitor> rules;     // of nftables, where the kernel has it
  vxlan::UniqueFd announcer;                      // sends from the endpoint's interface
  vxlan::UniqueFd process;                        // a pidfd, when the namespace is named by process
  std::optional<vxlan::DesiredEndpoint> applied;  // as in OverlayHandle
  // Its side of the overlay namespace, when that was last looked at and nothing was to be done.
  std::optional<vxlan::NamespaceState> port;
  std::string ifname;          // as attached
  uint16_t dns_port = 0;       // led to since this handle was opened
  int dns_unchecked = 0;       // looks since the DNS rules were looked at
  bool rules_changed = false;  // by whomever, since they were looked at
  uint64_t token = 0;
  uint64_t rules_token = 0;
  uint64_t process_token = 0;
};

// An epoll set whose members are found again by token.
class WatchSet {
 public:
  static Result<WatchSet> make();
  // 0 is never given out. A closed descriptor leaves by itself. kOnce: told when it becomes ready
  // and never again (an ended process stays readable).
  enum class Tell { kAlways, kOnce };
  Result<uint64_t> add(int fd, Tell tell = Tell::kAlways);
  // Waits at most `timeout_ms` and returns the tokens that are ready.
  std::vector<uint64_t> wait(int timeout_ms);

 private:
  explicit WatchSet(vxlan::UniqueFd epoll) : epoll_(std::move(epoll)) {}
  vxlan::UniqueFd epoll_;
  uint64_t next_ = 1;
};

}  // namespace shoal::worker
