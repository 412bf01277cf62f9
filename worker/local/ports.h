// What LocalNetworks asks of the world. The daemon gives real ones (worker/local/adapters.h), tests
// give fakes. Thread rule: as worker/ports.h.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/ports/ports.h"
#include "worker/hostnet/host_state.h"
#include "worker/local/records.h"
#include "worker/ports.h"
#include "worker/publish/publish.h"
#include "worker/state/attachments.h"

namespace shoal::worker {

// The host's plane (worker/hostnet/host_plane.h).
class HostKernel {
 public:
  virtual ~HostKernel() = default;
  virtual void set_state(HostState state, std::function<void(HostPass)> done) = 0;
  virtual void check_namespace(NamespaceRef ref, std::string ifname,
                               std::function<void(Result<NamespaceRef>)> done) = 0;
  virtual void host_routes(std::function<void(Result<std::vector<Prefix>>)> done) = 0;
};

// What is kept in the state directory. Writes are done in the order they are asked for.
class LocalDisk {
 public:
  virtual ~LocalDisk() = default;
  // Outlives the power when `done` is called with ok: networks are there after a reboot.
  virtual void save_networks(LocalRecords records, std::function<void(Status)> done) = 0;
  // Outlive this process: namespaces do not outlive the power either. Each costs the same however
  // many there are.
  virtual void save_endpoint(Attachment attachment, std::function<void(Status)> done) = 0;
  virtual void forget_endpoint(const EndpointId& id, std::function<void(Status)> done) = 0;
};

// The host's own ports that are published (worker/hostnet/reserve.h); answers in the order of
// calls. `to`: the endpoint's IPv6 address, which [::1] is relayed to (loopback_relay.h); of
// another family: none.
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  virtual void take(const EndpointId& id, std::string owner, std::vector<PortRequest> requests,
                    const Ip& to, std::function<void(Result<std::vector<PortBinding>>)> done) = 0;
  virtual void take_again(const EndpointId& id, std::string owner,
                          std::vector<PortBinding> bindings, const Ip& to,
                          std::function<void(Status)> done) = 0;
  virtual void release(const EndpointId& id) = 0;
};

struct LocalPorts {
  HostKernel& kernel;
  HostPorts& host_ports;
  Resolvers& resolvers;
  LocalDisk& disk;
  Clock& clock;
  Rng& rng;
  std::function<void(std::function<void()>)> post;  // runs on the strand, later
  // What the cluster has, as far as this node knows; nothing without one.
  std::function<std::vector<Prefix>()> cluster_subnets;
  std::function<bool(std::string_view name)> cluster_has_network;
};

}  // namespace shoal::worker
