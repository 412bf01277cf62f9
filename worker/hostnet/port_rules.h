// PortRules: keeps the ports of this host that lead to endpoints as they are wanted.
//
// What changed is told, endpoint by endpoint, and only that is sent to the kernel, in one
// transaction; the whole table is written when nothing is known of it, or somebody else changed it.
// Connections that an endpoint answered through its ports are forgotten with them, and flows of UDP
// to a port that is published from now on: else both would go on as they are for ever.
//
// A bridge whose endpoints are published on 127.0.0.1 routes that network (route_localnet), and no
// other interface does; "table inet shoal" keeps what comes from the bridge out of it.
//
// Used on the thread of the host's plane.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/types/id.h"
#include "vxlan/filter/elements.h"
#include "vxlan/filter/ports_table.h"

namespace shoal::worker {

struct PublishedPorts {
  std::string bridge;
  std::vector<vxlan::PortForward> forwards;

  friend bool operator==(const PublishedPorts&, const PublishedPorts&) = default;
};

class PortRules {
 public:
  // From now on; none: without forwards.
  void want(const EndpointId& id, PublishedPorts ports);
  // Makes it so. `check`: somebody may have changed the table; `bridges_too`: some may be new.
  // Returns the number of changes made.
  Result<size_t> apply(const vxlan::NamespaceFd& host, bool check, bool bridges_too);
  // Whose ports are not as wanted yet, after an apply() that failed.
  const std::map<EndpointId, PublishedPorts>& pending() const { return before_; }

 private:
  Status replace(const vxlan::NamespaceFd& host);
  Status change(const vxlan::NamespaceFd& host);
  Result<bool> is_as_wanted(const vxlan::NamespaceFd& host);
  Result<vxlan::NetfilterSocket*> socket(const vxlan::NamespaceFd& host);
  std::vector<vxlan::PortForward> forwards() const;
  void forget_connections(const vxlan::NamespaceFd& host);
  Status route_loopback(const vxlan::NamespaceFd& host, bool all);

  std::map<EndpointId, PublishedPorts> wanted_;
  std::map<EndpointId, PublishedPorts> before_;  // of what changed since the last apply()
  std::map<std::string, size_t> loopback_;       // bridges that route it, and for how many
  std::set<std::string> routing_;                // that were told to
  bool known_ = false;                           // the kernel is believed to be as wanted
  bool adopted_ = false;                         // the first apply() has been made
  std::string listing_;                          // of the table without its elements
  std::optional<vxlan::NetfilterSocket> socket_;
};

}  // namespace shoal::worker
