#include "worker/attach/host_route_watch.h"

#include <linux/rtnetlink.h>

#include "base/runtime/log.h"
#include "vxlan/netlink/dump.h"
#include "worker/session/host_routes.h"

namespace shoal::worker {

Result<std::vector<Prefix>> HostRouteWatch::read() {
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open_here());
  return told_routes(SHOAL_TRY(vxlan::dump_destinations(socket)));
}

Result<std::unique_ptr<HostRouteWatch>> HostRouteWatch::start(Strand& strand, Clock& clock,
                                                              std::vector<Prefix> known,
                                                              Changed changed) {
  auto monitor = SHOAL_TRY(
      vxlan::NetlinkMonitor::open_here({RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK}));
  std::unique_ptr<HostRouteWatch> watch(
      new HostRouteWatch(strand, clock, std::move(monitor), std::move(known), std::move(changed)));
  // What changed between the caller's read() and the monitor's start was not notified.
  watch->look_after(Duration::zero());
  return watch;
}

HostRouteWatch::HostRouteWatch(Strand& strand, Clock& clock, vxlan::NetlinkMonitor monitor,
                               std::vector<Prefix> known, Changed changed)
    : strand_(strand),
      clock_(clock),
      monitor_(std::move(monitor)),
      known_(std::move(known)),
      changed_(std::move(changed)),
      timer_(strand.make_timer()),
      reader_("shoal-routes") {}

HostRouteWatch::~HostRouteWatch() {
  alive_.reset();
  timer_->cancel();
}

void HostRouteWatch::look_after(Duration pause) {
  const bool first = pause == Duration::zero();
  timer_->wake_at(clock_.now() + pause, [this, first] {
    if (monitor_.drain() || first) {
      look();
    } else {
      look_after(kLook);
    }
  });
}

void HostRouteWatch::look() {
  reader_.post([this, alive = std::weak_ptr(alive_), strand = &strand_] {
    strand->post([this, alive, routes = read()] {
      if (!alive.expired()) seen(routes);
    });
  });
}

void HostRouteWatch::seen(const Result<std::vector<Prefix>>& routes) {
  if (!routes) {
    log::warn("routes", "the host's routes cannot be read: {}", routes.error().message);
  } else if (*routes != known_) {
    known_ = *routes;
    look_after(kPause);
    return changed_(known_);
  }
  look_after(kLook);
}

}  // namespace shoal::worker
