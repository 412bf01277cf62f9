// Worker: the part of the daemon that every node has. It puts namespaces on overlays and keeps them
// there: leases from the managers, interfaces by the data plane, names by DNS, peers by gossip.
//
// An attach is: check the namespace - write the intent down - lease - DNS in the namespace - kernel
// pass - write the attachment down - announce by gossip - answer. What fails undoes what went
// before, the lease too. A detach is the reverse. Both are serialised per namespace.
//
// Invariants
//   - a lease is asked for only when its endpoint id is on disk; an id leaves the disk only when
//   its
//     lease is held by an attachment or a manager said that it is gone. So no crash leaks a lease.
//   - what the managers assign and this host does not know is given back; what this host has and a
//     complete assignment (of a session opened later than the lease) does not name is removed here.
//   - nothing the managers' or other nodes' absence causes touches what is attached.
//
// Thread rule: the strand owns it; every callback comes on the strand.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/attach_request.h"
#include "worker/peers.h"
#include "worker/ports.h"
#include "worker/sandboxes.h"
#include "worker/serial.h"
#include "worker/session/catalogue.h"

namespace shoal::worker {

struct WorkerConfig {
  NodeId self;
  Ip data_path;  // this host's VTEP
};

// For status; a copy.
struct WorkerSnapshot {
  std::optional<ClusterInfo> cluster;
  std::vector<gossip::MemberInfo> members;
  size_t networks = 0;   // in the catalogue
  size_t endpoints = 0;  // attached here
  size_t peers = 0;      // endpoints of other nodes on the networks of this one
  size_t releases = 0;   // leases still to be given back
  std::vector<std::string> warnings;
  std::map<std::string, uint64_t> counters;
};

class Worker final : private gossip::Observer {
 public:
  // After a start the kernel holds what an earlier process left; peers come back by gossip. What is
  // not known by then is removed, once another node is heard at all: gossip needs a few rounds, and
  // a left-over entry harms nobody. A node that was failed and is back has as long to announce what
  // it still has.
  static constexpr Duration kAdoptGrace = std::chrono::seconds(10);
  // Leases to give back are tried again this often.
  static constexpr Duration kReleaseRetry = std::chrono::seconds(2);
  static constexpr Duration kGossipRetry = std::chrono::seconds(5);
  // How often the peers to remember are looked at; they are written when they changed.
  static constexpr Duration kRememberInterval = std::chrono::minutes(1);
  // The cache of what managers say is written this long after a change: bursts cost one write. What
  // an attached endpoint cannot do without is written before its attach is answered.
  static constexpr Duration kCacheDelay = std::chrono::milliseconds(500);
  static constexpr size_t kCachedPerDelay = 100;  // objects; twice as many wait twice as long
  // A detach waits this long for a manager: an election and a session with its winner.
  static constexpr Duration kManagerPatience = std::chrono::seconds(10);
  // Releases asked for at the same time: enough to hide latency, too few to crowd the leader.
  static constexpr size_t kReleasesAtOnce = 16;

  Worker(WorkerConfig config, Ports ports);
  ~Worker() override;

  // Goes on from what is on disk. `cluster` and `assignments` are what managers said last.
  void start(PersistedState state, std::optional<ClusterInfo> cluster, Assignments assignments);
  // Answers what is in flight with kUnavailable and stops gossip. The kernel stays as it is.
  void stop();

  void attach(AttachRequest request, std::function<void(Result<Attached>)> done);
  // `endpoint`: name or id, of this node. `network` may be empty when that is unique. kNotFound;
  // without `force` kUnavailable when no manager answers within kManagerPatience.
  void detach(std::string network, std::string endpoint, bool force,
              std::function<void(Status)> done);
  // Takes everything down, says good-bye, removes all of ours from the kernel. Leases are given
  // back while managers answer; else the managers do it when they remove the node.
  void leave(std::function<void(Status)> done);

  // From the session.
  void on_session(bool active);
  void on_cluster(ClusterInfo cluster);
  // `opened`: when the stream that brought it was opened.
  void on_assignments(const Assignments& assignments, Instant opened);
  // From the data plane.
  void on_endpoint_gone(const EndpointId& id, const std::string& reason);
  void on_kernel_problems(std::vector<std::string> problems) {
    kernel_problems_ = std::move(problems);
  }

  const Catalogue& catalogue() const { return catalogue_; }
  const std::optional<ClusterInfo>& cluster() const { return cluster_; }
  // Attached endpoints of this node.
  std::vector<manager::Endpoint> endpoints() const;
  std::vector<Attachment> attachments() const;  // of the same
  WorkerSnapshot snapshot() const;

 private:
  struct Local {
    Attachment record;
    bool plumbed = false;  // part of what the kernel should hold
    bool leaving = false;
    Instant leased;
  };
  struct AttachOp;
  struct DetachOp;

  // gossip::Observer
  void on_entry(const NetworkId& network, const std::string& key, const NodeId& owner,
                const Bytes& value) override;
  void on_entry_removed(const NetworkId& network, const std::string& key,
                        const NodeId& owner) override;
  void on_member(const gossip::MemberInfo& member) override;

  void doubt(const NodeId& node);

  // Attach, step by step (worker_attach.cc).
  void attach_begin(const std::shared_ptr<AttachOp>& op);
  void attach_intent(const std::shared_ptr<AttachOp>& op);
  void attach_lease(const std::shared_ptr<AttachOp>& op);
  void attach_leased(const std::shared_ptr<AttachOp>& op, Result<Lease> lease);
  void attach_plumb(const std::shared_ptr<AttachOp>& op);
  void attach_plumbed(const std::shared_ptr<AttachOp>& op, const PassResult& pass);
  void attach_finish(const std::shared_ptr<AttachOp>& op);
  void attach_undo(const std::shared_ptr<AttachOp>& op, Error error);
  void attach_answer(const std::shared_ptr<AttachOp>& op, Result<Attached> answer);
  Local* find_attached(const NetworkId& network, const NamespaceRef& space);

  // Detach and releases (worker_detach.cc).
  void detach_wait(const std::shared_ptr<DetachOp>& op);
  void detach_begin(const std::shared_ptr<DetachOp>& op);
  void detach_answer(const std::shared_ptr<DetachOp>& op, const Status& status);
  Result<EndpointId> find_local(const std::string& network, const std::string& endpoint) const;
  // Removes the endpoint from this host; `done` once the kernel and the disk know. `release`: its
  // lease is put among those to be given back.
  void take_down(const EndpointId& id, bool release, std::function<void()> done);
  void release_soon();
  void release_one(const EndpointId& id, std::function<void()> done);
  void remove_unassigned(const std::vector<EndpointId>& ids);

  // Desired state and what follows from it (worker.cc).
  WorkerState desired() const;
  void kernel_dirty();
  void adopt_later();
  void forget_departed(const std::set<EndpointId>& ids);
  void refresh_kernel(std::function<void(PassResult)> done);
  Status sync_sandbox(const NamespaceRef& space);
  void announce(const Local& local);
  void withdraw(const Local& local);
  bool network_in_use(const NetworkId& network) const;
  std::string network_name(const NetworkId& network) const;
  void start_gossip();
  void save(std::function<void(Status)> done);
  void cache_soon();
  void cache_now();
  void remember();
  // The managers' and those that are remembered, for a node that is alone.
  std::vector<HostPort> seeds() const;
  PersistedState persisted() const;

  // A callback that does nothing once the worker is gone.
  template <typename F>
  auto guarded(F callback) {
    return [alive = std::weak_ptr<int>(alive_), callback = std::move(callback)](auto&&... args) {
      if (!alive.expired()) callback(std::forward<decltype(args)>(args)...);
    };
  }

  const WorkerConfig config_;
  Ports ports_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool stopping_ = false;

  Catalogue catalogue_;
  std::optional<ClusterInfo> cluster_;
  std::map<EndpointId, Local> locals_;
  std::set<EndpointId> releases_;
  std::set<EndpointId> releasing_;
  // Taken down here, and the kernel does not know yet. An intent among them stays on disk till
  // then.
  std::map<EndpointId, Attachment> departed_;
  uint64_t epoch_ = 0;
  bool epoch_written_ = false;             // or refused: the disk has answered
  std::set<NetworkId> uncached_networks_;  // told since the cache was written

  Serial serial_;
  Sandboxes sandboxes_;
  Peers peers_;
  std::unique_ptr<gossip::Gossip> gossip_;
  std::string gossip_error_;
  std::set<std::shared_ptr<AttachOp>> attaching_;
  std::set<std::shared_ptr<DetachOp>> detaching_;

  bool adopted_ = false;  // kAdoptGrace is over
  bool kernel_dirty_ = false;
  bool cache_pending_ = false;
  std::vector<std::string> kernel_problems_;
  uint64_t attaches_ = 0;
  uint64_t attach_failures_ = 0;
  uint64_t detaches_ = 0;
  uint64_t orphans_ = 0;
  uint64_t bad_records_ = 0;
  std::unique_ptr<Timer> adopt_timer_;
  std::unique_ptr<Timer> return_timer_;
  std::unique_ptr<Timer> release_timer_;
  std::unique_ptr<Timer> gossip_timer_;
  std::unique_ptr<Timer> cache_timer_;
  std::vector<HostPort> remembered_;  // where live members were seen last
  std::unique_ptr<Timer> remember_timer_;
};

}  // namespace shoal::worker
