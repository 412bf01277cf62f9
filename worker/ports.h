// What a Worker asks of the world. The daemon gives real ones (worker/adapters), tests give fakes.
//
// Thread rule: everything is called on the strand and calls back on the strand, later, never from
// inside the call. A port outlives the Worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/types/result.h"
#include "gossip/driver/gossip.h"
#include "manager/model/objects.h"
#include "worker/attach/data_plane.h"
#include "worker/dns/names/name_table.h"
#include "worker/session/catalogue.h"
#include "worker/session/messages.h"
#include "worker/state/attachments.h"

namespace shoal::worker {

struct Lease {
  manager::Endpoint endpoint;
  manager::Network network;
};

// Calls to the leader, found anew and repeated until their deadline.
class ManagerCalls {
 public:
  virtual ~ManagerCalls() = default;
  // Idempotent by id; answered by `deadline` at the latest. kUnavailable and kDeadlineExceeded: it
  // may have happened.
  virtual void attach(const EndpointId& id, const std::string& network,
                      const manager::EndpointSpec& spec, Instant deadline,
                      std::function<void(Result<Lease>)> done) = 0;
  // Idempotent: what is gone is detached.
  virtual void detach(const EndpointId& id, std::function<void(Status)> done) = 0;
  // Whether a session with the leader is active now.
  virtual bool reachable() const = 0;
  // Nodes are heard again, or somebody waits: if no session is active, tries for one soon.
  virtual void hurry() = 0;
  // Gossip misses the host of `manager`: if it serves the session, it must answer soon or lose it.
  virtual void doubt(const HostPort& manager) = 0;
};

// The data plane (worker/attach/data_plane.h).
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void set_state(WorkerState state, std::function<void(PassResult)> done) = 0;
  virtual void check_namespace(NamespaceRef ref, std::string ifname,
                               std::function<void(Result<NamespaceRef>)> done) = 0;
  virtual void remove_all(std::function<void(Status)> done) = 0;
};

// The DNS server (worker/dns/server/dns_server.h).
class Resolvers {
 public:
  virtual ~Resolvers() = default;
  virtual Result<uint16_t> serve(const std::string& sandbox, const NamespaceRef& space,
                                 std::vector<NetworkId> networks, bool may_forward) = 0;
  virtual Status update(const std::string& sandbox, std::vector<NetworkId> networks,
                        bool may_forward) = 0;
  virtual void stop(const std::string& sandbox) = 0;
  virtual dns::NameTable& names() = 0;
};

// The state directory.
class Disk {
 public:
  virtual ~Disk() = default;
  // Outlives this process when `done` is called with ok.
  virtual void save(PersistedState state, std::function<void(Status)> done) = 0;
  // What the managers said last, to start from while they are away. Written before what a later
  // save() writes.
  virtual void save_cluster(ClusterInfo cluster, Catalogue::Content content) = 0;
};

struct Ports {
  ManagerCalls& managers;
  Kernel& kernel;
  Resolvers& resolvers;
  Disk& disk;
  Clock& clock;
  Rng& rng;
  std::function<void(std::function<void()>)> post;  // runs on the strand, later
  std::function<std::unique_ptr<Timer>()> make_timer;
  std::function<Result<std::unique_ptr<gossip::Gossip>>(gossip::KeyRing keys, uint64_t epoch,
                                                        gossip::Observer& observer)>
      start_gossip;
};

}  // namespace shoal::worker
