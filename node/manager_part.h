// ManagerPart: the manager of a node that is one: raft member and cluster port.
//
// Thread rule: everything here blocks and is not called on the strand, but for manager().
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <stop_token>
#include <vector>

#include "base/rpc/listener.h"
#include "manager/manager.h"
#include "node/identity.h"
#include "node/paths.h"

namespace shoal::node {

class ManagerPart {
 public:
  // Opens the state, with the unlock key if it is locked, and listens on the cluster port.
  // kAlreadyExists when that is taken; else as Manager::open().
  static Result<std::unique_ptr<ManagerPart>> open(const Identity& identity, const Paths& paths,
                                                   const std::string& unlock_key, Strand& strand,
                                                   Clock& clock, Rng& rng);
  // Stops; what is on disk stays.
  ~ManagerPart();

  // `stop` ends these, and the manager's part with them.
  Status bootstrap(manager::InitCluster init, std::chrono::milliseconds timeout,
                   const std::stop_token& stop);
  Status join(std::vector<HostPort> managers, std::chrono::milliseconds timeout,
              const std::stop_token& stop);
  Status resume();
  Status require_no_quorum(std::chrono::milliseconds timeout, const std::stop_token& stop);
  // Manager::refound().
  Status refound(std::optional<manager::Restoration> from, std::chrono::milliseconds timeout,
                 const std::stop_token& stop);
  Status leave(std::chrono::milliseconds timeout, const std::stop_token& stop);

  // On the strand.
  manager::Manager& manager() { return *manager_; }

  // Any thread.
  uint64_t connections_refused() const { return listener_->refused(); }

 private:
  ManagerPart(std::unique_ptr<manager::Manager> manager, Strand& strand)
      : manager_(std::move(manager)), strand_(strand) {}

  Status serve(const HostPort& listen, const manager::IdentityFiles& files);
  // Runs `work(done)` on the strand and waits for done.
  Status await(std::function<void(manager::Manager::Done)> work, std::chrono::milliseconds timeout,
               const char* what, const std::stop_token& stop);

  std::unique_ptr<manager::Manager> manager_;
  Strand& strand_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace shoal::node
