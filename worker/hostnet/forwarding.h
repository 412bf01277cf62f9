// Forwarding: the host forwards packets while networks of its own need it, and not on our account
// when they do not.
//
// Where forwarding was on, nothing is touched. Where it was off it is turned on, noted in a file
// that lives as long as the kernel does (below /run), and turned off again when it is not needed;
// meanwhile the host's table guards (host_table.h): nothing is forwarded that was not before.
// Turning on IPv6 forwarding makes the kernel ignore router advertisements where accept_ra is 1:
// those interfaces get 2, so that the host keeps its own routers.
//
// Used on the thread of the host's plane.
#pragma once

#include <string>

#include "base/types/ip.h"
#include "base/types/result.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::worker {

class Forwarding {
 public:
  // `allowed` false: it is never turned on, and off again if we had turned it on.
  Forwarding(std::string run_dir, Family family, bool allowed);

  // Whether we turned it on, or are about to. kUnavailable: it is off, needed, and not allowed.
  // kInternal and the like: it cannot be told.
  Status decide(const vxlan::NamespaceFd& host, bool needed);
  // Before the guard goes, and after it stands. Nothing when it is as decided.
  Status turn_off(const vxlan::NamespaceFd& host);
  Status turn_on(const vxlan::NamespaceFd& host);
  // Whether the guard is needed.
  bool is_ours() const { return ours_; }

 private:
  const Family family_;
  const std::string key_;  // below /proc/sys
  const bool allowed_;
  const std::string marker_;  // there: we turned it on
  bool ours_ = false;
  bool needed_ = false;
  bool on_ = false;
};

}  // namespace shoal::worker
