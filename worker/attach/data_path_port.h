// Whether the UDP port of the data path can be ours on this host.
//
// Overlays share one kernel socket per port, also with other programs' VXLAN devices of the same
// kind: a port that is in use is not yet a port that is lost. So a port that cannot be bound is
// tried in the one way that tells, with a VXLAN device in a throw-away namespace.
#pragma once

#include "base/types/ip.h"
#include "base/types/result.h"
#include "vxlan/netlink/namespace.h"
#include "vxlan/netlink/socket.h"

namespace shoal::worker {

// kAlreadyExists with a sentence when something else holds it. In this process's own namespace;
// any thread. A socket may be bound for some microseconds.
Status check_data_path_port(const Ip& local, uint16_t port);

// The same again and again, for a thread of its own, at the price of one bind(2) while the port is
// free or shared.
class DataPathPort {
 public:
  // `socket`: of the host.
  Status check(const vxlan::NamespaceFd& host, vxlan::NetlinkSocket& socket, const Ip& local,
               uint16_t port);

 private:
  bool shared_ = false;  // found so since it was last free
};

}  // namespace shoal::worker
