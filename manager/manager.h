// Manager: the manager part of one daemon: raft member, state machine, dispatcher, API.
//
//   open()  -> has_state(): resume()
//           -> first manager of a new cluster: bootstrap()
//           -> promoted, or joined with a manager's token: join()
//
// Thread rule: all methods on the strand, unless said otherwise; callbacks run on the strand. The
// gRPC services run on gRPC's threads and post to the strand.
//
// End: stop() on the strand (ends sessions and waiting calls), then the node shuts its gRPC server
// down (not on the strand: it waits for calls, which the strand finishes), then destroys the
// Manager (not on the strand).
//
// The state directory holds raft/ (log and hard state) and tables/ (the state machine), both sealed
// under the key in the file "data_key" (security/data_key.h), and the file "raft_member" with this
// member's raft id and the members it knew when it joined. The tables follow from raft/: damaged,
// they are made anew.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "base/runtime/unique_fd.h"
#include "base/types/result.h"
#include "manager/api/cluster_call.h"
#include "manager/model/command.h"
#include "manager/security/credentials.h"

namespace shoal::manager {

struct ManagerConfig {
  std::string state_dir;  // made if absent
  NodeId self;
  ClusterId cluster;
  HostPort control_address;  // where other managers and workers reach this one's cluster port
  IdentityFiles identity;    // must hold a manager's certificate before a service is called
  // Raft: the leader's heartbeat period and the shortest election timeout (drawn up to twice it).
  Duration raft_heartbeat = std::chrono::milliseconds(100);
  Duration raft_election = std::chrono::milliseconds(500);
  std::string unlock_key;  // of a locked state; else empty
};

// A backup to go on from, and who does.
struct Restoration {
  std::vector<Object> objects;
  uint64_t index = 0;
  uint64_t term = 0;
  Node self;  // not among the objects
};

struct ManagerStatus {
  struct Member {
    uint64_t raft_id = 0;
    NodeId node;  // empty: not known yet
    HostPort address;
  };
  bool is_leader = false;
  NodeId leader;                           // empty: no leader known
  std::optional<HostPort> leader_address;  // its cluster port
  uint64_t raft_id = 0;
  uint64_t leader_raft_id = 0;
  uint64_t term = 0;
  uint64_t commit_index = 0;
  uint64_t applied_index = 0;
  std::vector<Member> members;
  std::string quorum_lost;  // the sentence that says so; else empty
  std::string error;  // why this manager takes no part or is not safe from a restart; else empty
  std::map<std::string, uint64_t> counters;  // by the names of the metrics
};

class Manager {
 public:
  using Done = std::function<void(Status)>;

  // Whether `state_dir` holds the state of a raft member. Any thread.
  static bool has_state(const std::string& state_dir);

  // Whether `state_dir` holds a state that opens with the unlock key only. Any thread.
  static bool is_locked(const std::string& state_dir);

  // Opens (or makes) the state; blocks for the disk. Any thread. kConflict: another process has it
  // open, or the state is locked. kInvalidArgument: `unlock_key` is not the one. kDataLoss:
  // damaged; the message says what to do.
  static Result<std::unique_ptr<Manager>> open(ManagerConfig config, Strand& strand, Clock& clock,
                                               Rng& rng);
  virtual ~Manager() = default;

  // First manager of a new cluster; done once the cluster object is applied. The gRPC server need
  // not run yet. `init.node.raft_id` is filled in here. kConflict when there is state already.
  virtual void bootstrap(InitCluster init, Done done) = 0;
  // Asks the leader (found through any of `managers`, cluster ports of other managers) to take this
  // node into the raft group, starts raft, and is done once this member has caught up with the
  // cluster. The gRPC server with cluster_port_services() must be running. The node's certificate
  // must say manager. Retries until `timeout`, then kUnavailable or kDeadlineExceeded; may be
  // called again.
  virtual void join(std::vector<HostPort> managers, Duration timeout, Done done) = 0;
  // Goes on from has_state().
  virtual Status resume() = 0;
  // `done` with kConflict while this manager is one of several that can decide: nothing is lost,
  // and founding the group anew would split the cluster. Waits for elections. Before refound().
  virtual void require_no_quorum(Done done) = 0;
  // Founds the raft group anew with this member alone, in place of resume() or bootstrap(): from
  // its own state (has_state()), or from a backup's, with `self` as the node that goes on. Done
  // once it leads. Networks, addresses, endpoints, CA and nodes stay; the other managers are
  // workers from now on (manager/store/refound.h). kDataLoss, kConflict, kInvalidArgument.
  virtual void refound(std::optional<Restoration> from, Done done) = 0;

  // A whole backup file (manager/backup) of what is acknowledged now; without a quorum, of what
  // this manager holds, and `notice` says so.
  struct Copy {
    std::string file;
    bool locked = false;  // it opens with the cluster's unlock key only
    std::string notice;
  };
  virtual void backup(std::function<void(Result<Copy>)> done) = 0;

  // For the gRPC server on the cluster port (server_credentials()): Raft, Dispatcher, Ca,
  // Membership, Cluster. Any thread.
  virtual std::vector<grpc::Service*> cluster_port_services() = 0;
  // A connection to the cluster port that begins with raft::kPreface's first byte. Any thread;
  // closed when this manager is not in the raft group (yet).
  virtual void take_raft_link(UniqueFd socket) = 0;
  // Answers control.Cluster for the local socket (caller: trusted root), here or by forwarding to
  // the leader: give it to a ClusterService(handler, Door::kLocal), or route to it. Any thread.
  virtual ClusterHandler& local_cluster() = 0;

  // What the state on disk is sealed under now (autolock), 32 bytes; empty: it is not locked. Also
  // after stop().
  virtual std::string unlock_key() const = 0;

  virtual ManagerStatus status() const = 0;
  // Called on each change of leader (also to "none"), and when a leader's address becomes known.
  virtual void on_leader_change(std::function<void(const ManagerStatus&)> callback) = 0;
  // Called when raft has removed this member (demoted, or removed by force), or the cluster was
  // founded anew without it: the node stops the Manager and may forget() its state.
  virtual void on_removed(std::function<void()> callback) = 0;

  // Leaves the raft group in order (transfers leadership if it leads), then stops. For `leave` of a
  // manager and after demotion. kConflict for the last manager. Stops only when ok.
  virtual void leave_and_stop(Duration timeout, Done done) = 0;
  // Ends sessions and waiting calls (kUnavailable) and stops raft. Safe to call twice.
  virtual void stop() = 0;

  // Removes the manager's state from disk; no Manager may have it open. Any thread.
  static Status forget(const std::string& state_dir);
};

}  // namespace shoal::manager
