// Driver: runs one Core: persist, then send, then apply.
//
// The order is the contract: what follows from a save is sent when it is durable, and the state
// machine sees an entry when it is committed and durable here. Saves overlap with the next round,
// so a slow disk delays acknowledgements, not heartbeats.
//
// When storage fails, the driver stops taking part (no acknowledgement, no vote, no leadership),
// says so in status(), and starts over from what is on disk every few seconds. The same when an
// entry cannot be applied (a newer version wrote it, and to skip it would be to diverge), but then
// for good: only another program could go on.
//
// Thread rule: everything on one strand; callbacks are called there, also from inside the call that
// took them (a refusal). They may call the driver again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "raft/core/core.h"
#include "raft/driver/ports.h"

namespace shoal::raft {

struct DriverConfig {
  CoreConfig core;
  // Members to talk to before the log says who they are: what a joining node was told.
  std::vector<Member> initial_peers;
  // The state is made durable after this many applied entries or bytes, and the log before it goes,
  // for it is held in memory. A tail of it is kept, so that a follower a little behind needs no
  // snapshot: a short restart's worth, and no more than half of the bytes.
  Index snapshot_entries = 10000;
  size_t snapshot_log_bytes = 8U << 20;
  Index keep_entries = 5000;
  // Entries that a follower which answers still needs, or who is being sent a snapshot, are kept
  // until they are so many bytes: else a snapshot would be old before it has arrived.
  size_t hold_log_bytes = 32U << 20;
  // A state up to this size is copied whole beside the log, and damaged tables are made anew from
  // it. A larger copy would cost more writing than the log itself.
  size_t max_copied_state = 8U << 20;
  // ... nor is one made before so many bytes were applied as this part of the last one's: what is
  // written stays in proportion to what was asked for.
  size_t snapshot_log_part = 2;
  // Longer than any election: an answer after it is not known to be one.
  Duration proposal_timeout = std::chrono::seconds(10);
  Duration read_timeout = std::chrono::seconds(3);
  Duration storage_retry = std::chrono::seconds(5);
  // Reads that come while others are asked for wait for these and are asked for together; an answer
  // that takes longer may be lost.
  Duration read_patience = std::chrono::milliseconds(50);
  size_t max_pending_proposals = 4096;  // callbacks held
};

struct MemberStatus {
  Member member;
  bool leader = false;
  bool reachable = false;                 // known to the leader only
  Index match = 0;                        // known to the leader only
  std::optional<ProgressState> progress;  // known to the leader only
};

struct RaftStatus {
  RaftId id = 0;
  RaftId leader = 0;
  Term term = 0;
  Role role = Role::kFollower;
  Index commit = 0;
  Index applied = 0;
  Index first_index = 0;
  Index last_index = 0;
  size_t log_bytes = 0;  // held in memory
  Index snapshot_index = 0;
  std::vector<MemberStatus> members;
  size_t pending_proposals = 0;
  std::string error;  // why the driver does not take part; empty when it does
  CoreCounters counters;
};

class Driver {
 public:
  using ProposeCallback = std::function<void(Result<std::string>)>;
  using StatusCallback = std::function<void(Status)>;

  Driver(DriverConfig config, LogStore& store, Transport& transport, StateMachine& machine,
         Clock& clock, Timer& timer, Rng& rng, Observer& observer);
  ~Driver();  // as stop()
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Starts from what is stored; an empty store waits to be added by a leader. The error is the
  // store's or the state machine's.
  Status start();
  // Makes a new group of one in an empty store (kConflict otherwise), and starts.
  Status bootstrap(const Member& self);
  // Fails what is pending and takes no further part. Saves under way still finish.
  void stop();

  void receive(Message message);
  // The transfer of a snapshot to a member ended.
  void report_snapshot(RaftId to, bool delivered);

  // Leader only. The callback fires exactly once, with
  //   the result of apply; or
  //   kInvalidArgument, kResourceExhausted, kUnavailable: it did not and will not happen; or
  //   kDeadlineExceeded: leadership was lost and it may or may not happen.
  void propose(std::string command, ProposeCallback done);
  // With core.gather_proposals what was proposed waits for this, and is sent and saved together.
  void flush();
  // Adds a learner, adds or promotes a voter, or changes an address; done when in effect here and
  // confirmed (Core::confirmation): from then on a quorum of the new voters is enough, whatever
  // crashes. Also kConflict (another change is under way) and kUnavailable (the learner is still
  // far behind). Adding a voter to a group of one makes both needed for progress, and for the
  // answer: add a learner first, then promote.
  void add_member(const Member& member, StatusCallback done);
  // kNotFound, kConflict (the last voter). A leader may remove itself.
  void remove_member(RaftId id, StatusCallback done);
  // Several at once, through a joint configuration; done when that is in effect and confirmed. It
  // is left without further calls but for kJointExplicit, which an empty set ends.
  void change_members(const ConfChangeSet& set, StatusCallback done);
  // On any member: done when a read of the state machine here sees everything acknowledged before
  // the call. kUnavailable: try again.
  void read_index(StatusCallback done);
  // Leader only: hands leadership to another voter; on_leader_change tells the outcome.
  Status transfer(RaftId to);
  // An election now, for an operator's order; a group of one needs none.
  void campaign();

  RaftStatus status() const;
  RaftId leader() const { return core_ ? core_->leader() : 0; }
  bool is_leader() const { return core_ && core_->role() == Role::kLeader; }
  std::vector<Member> members() const { return configuration_.list(); }
  // For who looks on; nullptr while the driver does not take part.
  const Core* core() const { return core_.get(); }

 private:
  struct Proposal {
    Instant deadline;
    ProposeCallback done;
  };
  struct Read {  // several that ask together
    Instant asked;
    std::vector<StatusCallback> dones;
    Index index = 0;  // to be applied first; 0: the leader has not answered
  };
  struct Saving {  // a round whose save is under way
    uint64_t seq = 0;
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<Message> messages;
  };

  static constexpr Duration kNever = Duration::max();

  // driver.cc
  Status load_and_run();
  Result<InitialState> load();
  void pump();
  void round(Effects effects);
  void persist(Effects& effects);
  void saved(uint64_t seq, const Status& status);
  void fail(const std::string& what, const Error& error, Duration retry_after);
  void storage_failed(const Error& error);
  void forget_run();
  void wake();
  void arm();
  void set_peers(const std::vector<Member>& members);
  bool refuse_when_down(const std::function<void(Error)>& done) const;

  // apply.cc
  void apply(const std::vector<Entry>& entries);
  Result<std::string> apply_one(const Entry& entry);
  void settle(Index index, Term term, std::string result);
  void await_confirmation(const Entry& entry);
  Status install(const Snapshot& snapshot);
  void finish_reads();
  void ask_reads();
  Instant ask_reads_at() const;
  size_t pending_reads() const;
  void expire();
  void fail_all(const Error& proposals, const Error& reads);
  void told(const SoftState& soft);

  // snapshots.cc
  void maybe_snapshot();
  bool snapshot_due() const;
  void serve_snapshots();
  void write_out(std::unique_ptr<SnapshotSource> source, bool compacts, bool with_data);
  void written_out(const Result<std::shared_ptr<const Snapshot>>& result, bool compacts);
  void save_and_compact(const std::shared_ptr<const Snapshot>& snapshot);
  void forget_sendable();
  bool installing() const;
  Index compaction_point(Index snapshot) const;
  Index needed_by_followers() const;

  const DriverConfig config_;
  LogStore& store_;
  Transport& transport_;
  StateMachine& machine_;
  Clock& clock_;
  Timer& timer_;
  Rng& rng_;
  Observer& observer_;

  std::unique_ptr<Core> core_;   // none before start, after stop, and while storage is down
  Configuration configuration_;  // as of the last applied entry
  std::string error_;
  bool stopped_ = true;
  bool pumping_ = false;
  std::deque<Saving> saving_;
  Index snapshot_index_ = 0;
  // One snapshot at a time is written out, and then perhaps saved.
  bool snapshotting_ = false;
  Index snapshot_tried_ = 0;                  // where it was begun last, to let go of the log
  size_t bytes_since_snapshot_ = 0;           // of entries applied since
  uint64_t copied_bytes_ = 0;                 // the copy made last, to let go of the log
  std::shared_ptr<const Snapshot> sendable_;  // the newest of this run that has data
  std::set<RaftId> snapshot_wanted_;          // by whom
  std::map<std::pair<Index, Term>, Proposal> proposals_;
  std::map<uint64_t, Read> reads_;  // by context
  uint64_t next_read_ = 0;
  std::vector<StatusCallback> waiting_reads_;  // not asked for yet
  RaftId told_leader_ = 0;
  Term told_term_ = 0;  // 0 without a leader
  bool told_self_ = false;
  Instant retry_at_ = Instant::max();
  Instant armed_ = Instant::max();  // when the timer wakes us
  // Replaced when a run of the core ends; callbacks of an earlier run find theirs gone.
  std::shared_ptr<int> run_;
};

}  // namespace shoal::raft
