// ManagerImpl: what stands behind Manager: raft driver, state machine, services, and the little
// that ties them together.
//
// Made off or on the strand; everything else on it. Components that post to the strand hold tokens
// that die with them, on the strand.
#pragma once

#include "manager/api/ca_service.h"
#include "manager/api/cluster_api.h"
#include "manager/api/cluster_service.h"
#include "manager/api/leader_calls.h"
#include "manager/api/membership_service.h"
#include "manager/api/raft_members.h"
#include "manager/dispatcher/server.h"
#include "manager/joiner.h"
#include "manager/manager.h"
#include "manager/quorum.h"
#include "manager/raft_gate.h"
#include "manager/raft_guard.h"
#include "manager/security/data_key.h"
#include "manager/security/tls_contexts.h"
#include "manager/tables/state_machine.h"
#include "raft/driver/driver.h"
#include "raft/storage/store.h"
#include "raft/transport/transport.h"

namespace shoal::manager {

// The leader's housekeeping: learners become voters soon after they have caught up.
inline constexpr Duration kHousekeeping = std::chrono::seconds(2);
inline constexpr Duration kHousekeepingOfLearners = std::chrono::milliseconds(200);
// Gossip keys are replaced when the cluster's age passes a multiple of this.
inline constexpr Duration kGossipKeyLife = std::chrono::hours(12);
// When the data key is compared with the cluster's unlock key again: after a start, by when the log
// is replayed, and after a disk that refused.
inline constexpr Duration kFollowKeyAgain = std::chrono::seconds(5);
// Appends on their way to a follower. While one is, proposals gather and go together: one message
// and one fsync for many. With a second under way, each smaller, the median at 3,000 changes a
// second was half as long again, and there were no more changes a second (docs/benchmarks.md).
inline constexpr size_t kMaxInflight = 1;
// Of one such message, so that a long way with few of them still carries much.
inline constexpr size_t kMaxAppendBytes = 256U << 10;
// Followers learn of a commit with the next append, mostly.
inline constexpr Duration kCommitNotice = std::chrono::milliseconds(5);
// How often join() looks whether this member has caught up.
inline constexpr Duration kJoinPoll = std::chrono::milliseconds(50);
// Without a leader for so long, and too few voters heard of: the quorum is lost. An election takes
// 1.5 s, 3 s after a split vote.
inline constexpr Duration kNoLeaderPatience = std::chrono::seconds(4);
// A member not heard of for so long does not answer. Who looks for a leader asks at least each
// second.
inline constexpr Duration kSilentMember = std::chrono::seconds(3);
inline constexpr Duration kQuorumPoll = std::chrono::milliseconds(500);

class ManagerImpl final : public Manager, public Replica, public raft::Observer {
 public:
  ManagerImpl(ManagerConfig config, Strand& strand, Clock& clock, Rng& rng, DataKey data_key,
              std::unique_ptr<raft::RocksLogStore> log, std::unique_ptr<StateMachine> machine);
  ~ManagerImpl() override;

  void bootstrap(InitCluster init, Done done) override;
  void join(std::vector<HostPort> managers, Duration timeout, Done done) override;
  Status resume() override;
  void require_no_quorum(Done done) override;
  void refound(std::optional<Restoration> from, Done done) override;
  void backup(std::function<void(Result<Copy>)> done) override;
  std::vector<grpc::Service*> cluster_port_services() override;
  void take_raft_link(UniqueFd socket) override;
  ClusterHandler& local_cluster() override { return *cluster_api_; }
  std::string unlock_key() const override { return data_key_.unlock_key(); }
  ManagerStatus status() const override;
  void on_leader_change(std::function<void(const ManagerStatus&)> callback) override {
    leader_callback_ = std::move(callback);
  }
  void on_removed(std::function<void()> callback) override {
    removed_callback_ = std::move(callback);
  }
  void leave_and_stop(Duration timeout, Done done) override;
  void stop() override;

 private:
  // Replica
  const Store& store() const override { return machine_->store(); }
  const NodeId& self() const override { return config_.self; }
  bool is_leader() const override { return driver_ && driver_->is_leader(); }
  std::optional<HostPort> leader_address() const override;
  void propose(Command command, AnswerDone done) override;
  void read(StatusDone done) override;
  WallTime wall() const override { return clock_.wall(); }
  Rng& rng() override { return rng_; }
  NodeState state_of(const Node& node) const override;
  bool reachable(uint64_t raft_id) const override;
  uint64_t leader_raft_id() const override { return driver_ ? driver_->leader() : 0; }
  std::optional<Error> quorum_lost() const override;
  std::vector<Peer> peers() const override;
  void describe_raft(shoal::control::GetRaftStatusResponse& out) const override;

  // raft::Observer
  void on_leader_change(raft::RaftId leader, raft::Term term, bool is_self) override;
  void on_members(const std::vector<raft::Member>& members) override;

  void make_driver(uint64_t raft_id, std::vector<raft::Member> peers);
  Status start_member(const RaftMemberFile& file);
  void propose_init();
  void wait_until_caught_up();
  bool caught_up() const;
  void finish_pending(const Status& status);
  void housekeeping();
  void follow_unlock_key();
  void note_gossip_key();
  void rotate_gossip_key_when_due();
  // What is saved as the beginning of the new group, and as whom it goes on.
  struct NewGroup {
    raft::LogStore::Batch batch;
    RaftMemberFile member;
  };
  Result<NewGroup> plan_refound(std::optional<Restoration> from);
  void start_refounded(const RaftMemberFile& member);
  void finish_refound();
  Result<Copy> make_backup(std::string notice) const;
  bool answers(const raft::MemberStatus& member, bool leading) const;
  QuorumView quorum() const;
  void watch_quorum();
  void expelled(uint64_t epoch, const std::string& by);
  std::string member_name(const raft::Member& member) const;
  int64_t key_slot() const;

  const ManagerConfig config_;
  Strand& strand_;
  Clock& clock_;
  Rng& rng_;
  DataKey data_key_;
  std::string data_key_error_;  // why it does not follow the cluster's unlock key
  std::unique_ptr<raft::RocksLogStore> log_;
  std::unique_ptr<StateMachine> machine_;
  RaftGuard guard_;
  RaftGate gate_;
  std::unique_ptr<Timer> raft_timer_;
  std::unique_ptr<Timer> housekeeping_timer_;
  std::unique_ptr<Timer> join_timer_;
  std::unique_ptr<Timer> quorum_timer_;
  std::unique_ptr<Timer> key_timer_;
  std::unique_ptr<LeaderCalls> calls_;
  std::unique_ptr<RaftMembers> members_;
  std::unique_ptr<DispatcherServer> dispatcher_;
  std::unique_ptr<ClusterApi> cluster_api_;
  std::unique_ptr<ClusterService> cluster_service_;
  std::unique_ptr<CaService> ca_service_;
  std::unique_ptr<MembershipService> membership_service_;
  std::unique_ptr<Joiner> joiner_;
  TlsContexts tls_;
  std::unique_ptr<raft::NetTransport> transport_;
  std::unique_ptr<raft::Driver> driver_;

  uint64_t raft_id_ = 0;
  std::optional<Command> init_;  // to be proposed by bootstrap() once this member leads
  Done pending_;                 // of bootstrap() or join()
  Instant join_deadline_;
  bool flush_due_ = false;                   // the driver's, of proposals
  bool refounding_ = false;                  // pending_ is refound()'s
  std::optional<RaftMemberFile> refounded_;  // to be written once it leads
  std::map<raft::RaftId, Instant> heard_;    // of other members, by messages
  std::optional<Instant> no_leader_since_;   // none while there is one, or raft does not run
  bool was_member_ = false;
  bool stopped_ = false;
  // The newest gossip key, and the slot in which this manager first saw it: followers note it too,
  // so a slot that begins while there is no leader is not missed.
  uint64_t newest_key_ = 0;
  int64_t seen_key_slot_ = 0;
  bool rotating_key_ = false;
  std::function<void(const ManagerStatus&)> leader_callback_;
  std::function<void()> removed_callback_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
