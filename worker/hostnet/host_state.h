// HostState: what this host's own networks should have in the kernel, as plain values; HostPass:
// what came of it.
//
// A state is always everything, and one follows another with each attach: so what did not change is
// shared between them, and the plane works on what did. Endpoints are compared by pointer: whoever
// makes a state makes a new HostEndpoint for what changed, and only for that.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/types/error.h"
#include "base/types/time.h"
#include "vxlan/filter/ports_table.h"
#include "vxlan/model/host.h"
#include "worker/attach/data_plane.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

struct HostEndpoint {
  vxlan::DesiredEndpoint desired;
  NamespaceRef space;
  uint16_t dns_port = 0;  // as LocalEndpoint's
  std::vector<vxlan::PortForward> ports;

  friend bool operator==(const HostEndpoint&, const HostEndpoint&) = default;
};

using HostNetworks = std::vector<vxlan::DesiredHostNetwork>;
using HostEndpoints = std::vector<std::shared_ptr<const HostEndpoint>>;

// What carries our mark in the host's namespace and is not named is removed.
struct HostState {
  std::shared_ptr<const HostNetworks> networks = std::make_shared<const HostNetworks>();
  HostEndpoints endpoints;  // by ascending id
  // Taken out of their namespaces: what an earlier process made is known by no other means. Listed
  // until on_endpoint_departed() tells that nothing of it is left.
  std::vector<DepartedEndpoint> departed;

  // Null when it is not there.
  const HostEndpoint* endpoint(const EndpointId& id) const;
};

struct HostPass {
  size_t ops = 0;  // changes made to the kernel
  Duration elapsed{};
  // Endpoints that are new or changed since the pass before, or were looked at.
  std::map<EndpointId, AttachedInterface> attached;
  std::map<NetworkId, Error> network_errors;
  std::map<EndpointId, Error> endpoint_errors;
  std::vector<Error> problems;  // the rest
  bool interrupted = false;     // a repair gave way before it had seen everything

  bool failed() const { return !endpoint_errors.empty() || !network_errors.empty(); }
  std::set<std::string> failures() const;
};

}  // namespace shoal::worker
