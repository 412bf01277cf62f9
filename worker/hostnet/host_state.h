// HostState: what this host's own networks should have in the kernel, as plain values; HostPass:
// what came of it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "base/types/error.h"
#include "base/types/time.h"
#include "vxlan/model/host.h"
#include "worker/attach/data_plane.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

struct HostEndpoint {
  vxlan::DesiredEndpoint desired;
  NamespaceRef space;
  uint16_t dns_port = 0;  // as LocalEndpoint's

  friend bool operator==(const HostEndpoint&, const HostEndpoint&) = default;
};

// Always everything: what carries our mark in the host's namespace and is not named is removed.
struct HostState {
  std::vector<vxlan::DesiredHostNetwork> networks;
  std::vector<HostEndpoint> endpoints;
  // Taken out of their namespaces: what an earlier process made is known by no other means.
  std::vector<DepartedEndpoint> departed;

  friend bool operator==(const HostState&, const HostState&) = default;
};

struct HostPass {
  size_t ops = 0;  // changes made to the kernel
  Duration elapsed{};
  std::map<EndpointId, AttachedInterface> attached;
  std::map<NetworkId, Error> network_errors;
  std::map<EndpointId, Error> endpoint_errors;
  std::vector<Error> problems;    // the rest
  bool interrupted = false;       // a repair gave way before it had seen everything
  std::set<EndpointId> departed;  // nothing of these is left
};

}  // namespace shoal::worker
