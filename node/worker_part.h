// WorkerPart: the worker of an active node, put together: session, data plane, DNS, gossip, state.
//
// Thread rule: start() and the destructor block and are not called on the strand; the rest is on
// the strand unless said otherwise. The kernel keeps what it has when this goes.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "node/host_part.h"
#include "node/identity.h"
#include "node/paths.h"
#include "worker/adapters.h"
#include "worker/attach/host_route_watch.h"
#include "worker/session/client.h"
#include "worker/worker.h"

namespace shoal::node {

class WorkerPart final : public worker::SessionObserver {
 public:
  using ClusterCallback = std::function<void(const worker::ClusterInfo&)>;

  // `host` outlives this. `on_cluster` is called on the strand on every change of what the managers
  // say of the cluster.
  static Result<std::unique_ptr<WorkerPart>> start(const Identity& identity, const Paths& paths,
                                                   manager::NodeDescription description,
                                                   Strand& strand, Clock& clock, Rng& rng,
                                                   HostPart& host, ClusterCallback on_cluster);
  ~WorkerPart() override;

  worker::Worker& worker() { return *worker_; }
  worker::SessionClient& session() { return *session_; }
  // Why there is no session; empty message while there is one.
  const Error& session_error() const { return session_error_; }
  // The managers said that this node is not theirs (any more).
  bool refused() const;

  // Blocks, not on the strand: until the session was active once. False after `timeout`, or when
  // `stop` is requested.
  bool wait_registered(std::chrono::milliseconds timeout, const std::stop_token& stop);

 private:
  WorkerPart(Strand& strand, ClusterCallback on_cluster)
      : strand_(strand), on_cluster_(std::move(on_cluster)) {}

  void on_session(bool active, const HostPort& manager, const Error& error) override;
  void on_cluster(worker::ClusterInfo cluster) override;
  void on_assignments(const worker::Assignments& assignments, Instant opened) override;

  Strand& strand_;
  ClusterCallback on_cluster_;
  std::unique_ptr<worker::KernelAdapter> kernel_;
  std::unique_ptr<worker::StateDirectory> disk_;
  std::unique_ptr<worker::SessionClient> session_;
  std::unique_ptr<worker::Worker> worker_;
  std::unique_ptr<worker::HostRouteWatch> routes_;
  Error session_error_;
  std::mutex mutex_;  // guards registered_
  std::condition_variable_any registered_changed_;
  bool registered_ = false;
};

// Takes out of the kernel what the worker of this state directory put there. Blocks, not on the
// strand; no worker may run.
void clear_host(const Paths& paths, const HostPart& host);

// What this node tells others of where it is reached.
manager::NodeAddresses addresses_of(const Identity& identity);

}  // namespace shoal::node
