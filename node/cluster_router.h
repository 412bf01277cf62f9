// ClusterRouter: who answers control.Cluster on the local socket: this host for its own networks,
// else this node's manager, or, on a worker, what the managers told it.
#pragma once

#include "base/runtime/strand.h"
#include "manager/api/cluster_call.h"
#include "manager/manager.h"
#include "worker/local/local_networks.h"
#include "worker/worker.h"

namespace shoal::node {

class ClusterRouter final : public manager::ClusterHandler {
 public:
  explicit ClusterRouter(Strand& strand) : strand_(strand) {}

  // On the strand; null when the node is not (any more) that.
  void set_manager(manager::Manager* manager) { manager_ = manager; }
  void set_worker(worker::Worker* worker) { worker_ = worker; }
  void set_local(worker::LocalNetworks* local) { local_ = local; }
  // A locked manager answers nothing.
  void set_locked(bool locked) { locked_ = locked; }

  // From any thread.
  void handle(std::shared_ptr<manager::ClusterCall> call) override;
  void after(std::function<void()> work) override { strand_.post(std::move(work)); }

 private:
  Strand& strand_;
  manager::Manager* manager_ = nullptr;
  worker::Worker* worker_ = nullptr;
  worker::LocalNetworks* local_ = nullptr;
  bool locked_ = false;
};

// A worker's answer: networks and its own endpoints; the rest is refused naming the managers.
Status answer_as_worker(const worker::Worker& worker, const manager::ClusterCall& call);

}  // namespace shoal::node
