// HostRouteWatch: the routes of this host's own networking, and when they change.
//
// The kernel's notifications are looked at every kLook and cause one dump however many there were;
// after a change was told the next is told kPause later at the earliest, so that a flapping route
// costs the managers little.
//
// Thread rule: made and destroyed on the strand, on which `changed` is called; dumps run on a
// thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/runtime/strand.h"
#include "base/types/result.h"
#include "vxlan/netlink/socket.h"

namespace shoal::worker {

class HostRouteWatch {
 public:
  static constexpr Duration kLook = std::chrono::seconds(1);
  static constexpr Duration kPause = std::chrono::seconds(5);

  using Changed = std::function<void(std::vector<Prefix>)>;

  // `known` is what read() gave before; `changed` gets what differs from what was told last.
  static Result<std::unique_ptr<HostRouteWatch>> start(Strand& strand, Clock& clock,
                                                       std::vector<Prefix> known, Changed changed);
  ~HostRouteWatch();
  HostRouteWatch(const HostRouteWatch&) = delete;
  HostRouteWatch& operator=(const HostRouteWatch&) = delete;

  // Blocking. Reduced as told_routes().
  static Result<std::vector<Prefix>> read();

 private:
  HostRouteWatch(Strand& strand, Clock& clock, vxlan::NetlinkMonitor monitor,
                 std::vector<Prefix> known, Changed changed);
  void look_after(Duration pause);
  void look();
  void seen(const Result<std::vector<Prefix>>& routes);

  Strand& strand_;
  Clock& clock_;
  vxlan::NetlinkMonitor monitor_;
  std::vector<Prefix> known_;
  Changed changed_;
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  WorkThread reader_;  // last: joined first
};

}  // namespace shoal::worker
