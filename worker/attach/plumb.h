// One endpoint made as it should be: its veth pair, the interface inside, carrier, announcement,
// and the way to its resolver. What overlays and the host's own bridges have in common. Called on
// the thread that owns the handle.
#pragma once

#include <functional>

#include "vxlan/netlink/apply.h"
#include "vxlan/plan/op.h"
#include "worker/attach/handles.h"

namespace shoal::worker {

// The part of `space` that one endpoint's plan looks at.
vxlan::NamespaceState of_port(const vxlan::NamespaceState& space, const std::string& port);

// Where its port is: an overlay's namespace or the host's. `endpoint*` are filled in.
struct Plumbing {
  vxlan::Places places;
  // Applies a plan, and counts and logs it.
  std::function<Status(const vxlan::Plan&, const vxlan::Places&)> run;
};

// `seen`: of_port() of what was seen or is believed. Sets `handle.ifname`. True when anything was
// changed; frames pass then.
Result<bool> plumb(const vxlan::DesiredEndpoint& wanted, const vxlan::NamespaceState& seen,
                   const Plumbing& plumbing, EndpointHandle& handle);

// Leads DNS to `port` of the namespace's 127.0.0.11; 0: no longer. The rules are looked at when
// they may have changed: on a notification and, with `look`, every third time. True when they were.
Result<bool> lead_dns(uint16_t port, bool look, EndpointHandle& handle);

}  // namespace shoal::worker
