// Node: this host's part in a cluster, from nothing to member and back.
//
//   inactive --init, join--> active (worker) <--promote, demote--> active (worker and manager)
//       ^---------------------------leave------------------------------'
//
// A manager that lost the others goes on alone by `init --force-new-cluster`; `restore` is an init
// from a backup.
// A manager whose state is locked (autolock) starts as a worker only, and is whole after unlock().
//
// Changes of this state run one after the other on a thread of their own (they block on disk and
// managers). node.state is the commit point: what failed before it leaves nothing; what is found
// without it at start is rubbish and removed.
//
// The host's own networks (HostPart) are there in every state, and no change of state touches them.
//
// Thread rule: start(), stop() from main; init(), join(), leave() from any thread; status(),
// attach(), detach() from any thread, answered on the strand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/runtime/system_ports.h"
#include "node/cluster_router.h"
#include "node/host_part.h"
#include "node/manager_part.h"
#include "node/worker_part.h"
#include "proto/control.pb.h"

namespace shoal::node {

class Node {
 public:
  template <typename T>
  using Done = std::function<void(Result<T>)>;

  // From the certificate to a session with the leader.
  static constexpr std::chrono::milliseconds kRegisterTimeout{15'000};
  static constexpr std::chrono::milliseconds kBootstrapTimeout{30'000};
  // Of a new raft member: it has to take over the cluster's state first.
  static constexpr std::chrono::milliseconds kRaftJoinTimeout{30'000};
  static constexpr std::chrono::milliseconds kRaftLeaveTimeout{10'000};
  static constexpr std::chrono::milliseconds kLeaveTimeout{20'000};
  // After a role change or renewal that failed.
  static constexpr Duration kRoleRetry = std::chrono::seconds(2);
  static constexpr Duration kRenewRetry = std::chrono::seconds(60);
  // Docker's bound: a shorter validity leaves no time for a manager to come back.
  static constexpr Duration kShortestCertExpiry = std::chrono::hours(1);
  // Less than the root certificate's.
  static constexpr Duration kLongestCertExpiry = std::chrono::hours(24 * 3650);

  // `missing`: kernel features that this host lacks, as sentences for status, and their names.
  struct Missing {
    std::vector<std::string> names;
    std::vector<std::string> sentences;
  };

  // `shortest_expiry`: of certificates that init may be asked for.
  Node(Paths paths, Config config, Missing missing, Duration shortest_expiry, Strand& strand,
       Clock& clock, Rng& rng);
  ~Node();

  // Goes on from what is on disk. kDataLoss and the like: the daemon must not run on it.
  Status start();
  // Ends the node's parts; the data plane stays as it is. A change of state under way is given up,
  // and undone or taken up again at the next start.
  void stop();

  // What of a configuration may change while the daemon runs; blocks, not on the strand.
  void configure(const Config& config);

  void init(control::InitRequest request, Done<control::InitResponse> done);
  void join(control::JoinRequest request, Done<control::JoinResponse> done);
  void leave(bool force, Done<control::LeaveResponse> done);
  // On a manager. From any thread.
  void backup(Done<manager::Manager::Copy> done);
  // `file`: a backup's bytes; `unlock_key`: "SWMKEY-1-..." of a locked one, else unused. On a host
  // in no cluster.
  void restore(control::InitRequest settings, std::string file, std::string unlock_key,
               Done<control::RestoreResponse> done);
  // Opens a locked manager with the cluster's unlock key ("SWMKEY-1-...").
  void unlock(std::string key, Done<control::UnlockResponse> done);
  void status(Done<control::StatusResponse> done);
  // `deadline`: when the caller stops waiting.
  void attach(control::AttachRequest request, std::chrono::system_clock::time_point deadline,
              Done<control::AttachResponse> done);
  void detach(control::DetachRequest request, Done<control::DetachResponse> done);

  manager::ClusterHandler& cluster() { return router_; }

 private:
  // On the lifecycle thread (node_init.cc, node_join.cc, node_role.cc, node_refound.cc).
  Result<control::InitResponse> do_init(const control::InitRequest& request);
  Result<Identity> plan_init(const control::InitRequest& request,
                             manager::InitCluster& cluster) const;
  // What init and restore have in common: addresses, ports and role of a first manager.
  Result<Identity> plan_manager(const control::InitRequest& request, uint16_t data_path_port) const;
  Result<control::InitResponse> do_force_new_cluster(const control::InitRequest& request);
  Result<control::RestoreResponse> do_restore(const control::InitRequest& settings,
                                              const std::string& file,
                                              const std::string& unlock_key);
  Result<Identity> plan_restore(const control::InitRequest& settings,
                                const manager::Cluster& cluster,
                                manager::Restoration& restoration) const;
  Result<control::JoinResponse> do_join(const control::JoinRequest& request);
  Result<Identity> plan_join(const control::JoinRequest& request,
                             const std::vector<HostPort>& remotes) const;
  Status do_leave(bool force);
  // What a worker leaves on its host and with the managers goes, in time or by force.
  void leave_worker();
  Status do_unlock(const std::string& key);
  void set_locked(bool locked);
  void follow_role(manager::Role wanted);
  Status promote();
  Status forget_manager();
  Status demote();
  Status renew();
  void schedule_renewal();

  Status start_host();
  void stop_host();
  Status start_worker(const Identity& identity);
  void stop_worker();
  // `unlock_key`: 32 bytes, of a locked state.
  Status open_manager(const Identity& identity, const std::string& unlock_key = {});
  // The first manager of a cluster, whose state `fill` proposes; `what` names it in errors. Nothing
  // is left of it when it fails.
  Status start_as_first(const Identity& identity, const std::string& what,
                        const std::function<Status()>& fill);
  void stop_manager();
  // Undoes a failed init or join: nothing of it is left.
  void forget_everything();
  void set_identity(std::optional<Identity> identity);
  // On the strand: what concerns the cluster can be asked for here.
  Status require_cluster() const;
  bool is_local(const std::string& network) const;
  // "endpoint:NAME" in place of a path: the namespace of that endpoint of this host, and its name
  // where none was asked for.
  Status resolve_endpoint(worker::AttachRequest& request) const;
  Status require_inactive() const;
  Status require_running() const;  // not stopping
  // Runs `work` on the lifecycle thread unless the daemon is stopping.
  void later(std::function<void()> work);

  // On the strand.
  void on_cluster(const worker::ClusterInfo& cluster);
  void fill_status(control::StatusResponse& out) const;
  void fill_managers(control::StatusResponse& out) const;
  void fill_raft(control::StatusResponse& out) const;
  void want_role(manager::Role role);
  void check_role();

  const Paths paths_;
  const Config config_;  // as of the start
  const Missing missing_;
  const Duration shortest_expiry_;
  const manager::NodeDescription description_;
  Strand& strand_;
  Clock& clock_;
  Rng& rng_;
  ClusterRouter router_;

  // Lifecycle thread only.
  std::optional<Identity> identity_;
  std::unique_ptr<HostPart> host_part_;  // from start() to stop()
  std::unique_ptr<WorkerPart> worker_part_;
  std::unique_ptr<ManagerPart> manager_part_;

  bool locked_ = false;  // the manager's state waits for the unlock key

  // Strand only: what the lifecycle thread has set up, for reading.
  std::optional<Identity> view_;
  HostPart* host_view_ = nullptr;
  worker::LocalNetworks* local_view_ = nullptr;
  WorkerPart* worker_view_ = nullptr;
  manager::Manager* manager_view_ = nullptr;
  const ManagerPart* manager_part_view_ = nullptr;
  std::string busy_;  // "joining", for status; empty when settled
  bool locked_view_ = false;
  std::string role_error_;
  manager::Role wanted_role_ = manager::Role::kWorker;
  bool role_pending_ = false;       // a change of role is under way
  bool joining_managers_ = false;   // waits to be let in, and to catch up
  bool raft_join_pending_ = false;  // a manager by certificate, not yet a member
  std::unique_ptr<Timer> role_timer_;
  std::unique_ptr<Timer> renew_timer_;

  std::stop_source stopping_;
  WorkThread lifecycle_;  // last: joined first
};

}  // namespace shoal::node
