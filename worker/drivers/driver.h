// Driver: what a kind of network that this host has for itself means, as values: which specs are
// possible, what the kernel should hold for a network and for an endpoint, and how to say it.
//
// A driver keeps nothing and asks nothing: the same network gives the same desired state for ever,
// so a start compares it with what it finds. What only the host knows (whether an interface name is
// free, whether a parent exists) is found when the state is applied and told as the network's
// error.
//
// Pure. Overlays are not among them: what they need of other hosts is put together by
// worker/reconcile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "manager/model/objects.h"
#include "vxlan/model/host.h"

namespace shoal::worker {

// One endpoint as its driver is asked about it.
struct Placement {
  EndpointId id;
  Mac mac;
  std::vector<Prefix> addresses;  // with the length of their subnet
  std::string ifname;             // empty: any
  bool gateway = false;           // its namespace's way out leads through this network
  bool published = false;         // ports of the host lead to it
};

class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  // More endpoints one network cannot have.
  virtual size_t most_endpoints() const = 0;
  // Everything that can be said of a spec by itself, subnets and names excepted (manager/rules).
  // kInvalidArgument; kUnimplemented for what Docker has and this driver has not.
  virtual Status validate(const manager::NetworkSpec& spec) const = 0;
  // Of networks whose spec is valid.
  virtual vxlan::DesiredHostNetwork network(const manager::Network& network) const = 0;
  virtual vxlan::DesiredEndpoint endpoint(const manager::Network& network,
                                          const Placement& placement) const = 0;
  // The host's address that ports are published on where none is said; 0.0.0.0: every one.
  virtual Ip publishes_at(const manager::Network& network) const = 0;
  // Whether it is a way out for a namespace.
  virtual bool leads_out(const manager::Network& network) const = 0;
  // Sentences for a person: what the network does here.
  virtual std::vector<std::string> explain(const manager::Network& network) const = 0;
};

// Null when it is none of this host's own.
const Driver* find_driver(std::string_view name);

}  // namespace shoal::worker
