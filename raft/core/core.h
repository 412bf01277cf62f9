// Core: one member of a Raft group, as a function of (state, input, now) -> effects.
//
// Follows Ongaro's thesis: elections with pre-vote (9.6), check-quorum and leader stickiness
// (4.2.3, 6.2), log replication with a conflict hint, membership by one change at a time (4.1) or
// by joint consensus (4.3), snapshots (5), read index and leases (6.4), leadership transfer (3.10).
//
// Contract with the caller, once per round:
//   Effects e = core.take_effects();
//   1. send e.early_messages whenever; they need no durability
//   2. save e.hard_state, e.snapshot, e.entries together; when durable: install e.snapshot in the
//      state machine, send e.messages, call core.persisted(e.persist_seq)
//   3. apply e.committed in order
// Rounds may overlap (a save may be under way while the next round is taken), but saves become
// durable in order and e.messages of a round without a save wait for the earlier ones.
// A member counts its own vote and its own copy of an entry only in persisted().
//
// Thread rule: none inside; one owner.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "raft/core/configuration.h"
#include "raft/core/progress.h"
#include "raft/log/log.h"

namespace shoal::raft {

// What a leader does that the group no longer counts. Published scenarios know the other two.
enum class OnRemoval : uint8_t {
  kHandOver,  // when its term has a committed entry: tells all, and lets the best voter go on
  kStepDown,  // at once, without a successor
  kStay,      // leads on, without a vote
};

struct CoreConfig {
  RaftId id = 0;
  Duration heartbeat_interval = std::chrono::milliseconds(100);
  // Ten lost heartbeats at most, five at least: a new leader is there within about 1.5 s, and
  // within 3 s after a split vote.
  Duration election_timeout_min = std::chrono::milliseconds(500);
  Duration election_timeout_max = std::chrono::milliseconds(1000);
  // A snapshot that nobody reported on: the follower may have died during the transfer.
  Duration snapshot_timeout = std::chrono::seconds(60);
  // For so long news of a commit may wait for an append to go with; 0: it goes at once, alone.
  Duration commit_notice{0};
  // Proposals are sent when the effects are taken, those of several calls in one append; else each
  // in its own, at once.
  bool gather_proposals = false;
  size_t max_append_bytes = 64U << 10;  // per message, one entry at least
  size_t max_inflight = 64;             // appends per follower
  size_t max_inflight_bytes = 2U << 20;
  size_t max_uncommitted_bytes = 4U << 20;  // proposals a leader holds; beyond: kResourceExhausted
  size_t max_apply_bytes = 1U << 20;        // committed entries per round
  size_t max_pending_reads = 1024;
  // Ask before an election, so that a member that was cut off does not depose a healthy leader.
  bool pre_vote = true;
  // A leader without its quorum steps down, and who hears a leader helps nobody to depose it.
  bool check_quorum = true;
  // Reads on the leader's clock: for nine tenths of election_timeout_min after a quorum's answer no
  // other leader can be, if clocks run at about the same speed. All members must agree on this
  // (it delays their first vote after a start). Needs check_quorum.
  bool lease_reads = false;
  OnRemoval on_removal = OnRemoval::kHandOver;
  // A leader appends an entry of its own after every change of members it applies; see
  // Core::confirmation(). Published scenarios know no such entry.
  bool confirm_changes = true;
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view to_string(Role role);

struct SoftState {
  RaftId leader = 0;
  Term term = 0;
  Role role = Role::kFollower;

  friend bool operator==(const SoftState&, const SoftState&) = default;
};

// The read with this context may be answered once `index` is applied.
struct ReadState {
  uint64_t context = 0;
  Index index = 0;
};

struct Position {
  Index index = 0;
  Term term = 0;
};

struct Effects {
  std::vector<Message> early_messages;
  std::optional<HardState> hard_state;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<Entry> entries;  // replace what is stored from entries[0].index on
  uint64_t persist_seq = 0;    // 0: nothing to save
  std::vector<Message> messages;
  std::vector<Entry> committed;
  std::vector<ReadState> reads;
  std::optional<SoftState> soft_state;         // when it changed
  std::optional<std::vector<Member>> members;  // when it changed
  std::vector<RaftId> snapshot_requests;       // answer each with provide_snapshot()

  bool empty() const;
};

// What a restart found on disk; a fresh member starts from an empty one.
struct InitialState {
  HardState hard_state;
  SnapshotMeta snapshot;  // its members are those before `entries` take effect
  Index offset = 0;       // the log begins after it
  Term offset_term = 0;
  std::vector<Entry> entries;
  Index applied = 0;  // of the state machine; at least snapshot.index
};

// The log of a new group of one: its own admission, committed. Save it, then start from it.
InitialState bootstrap_state(const Member& self);

struct CoreCounters {
  uint64_t elections_started = 0;
  uint64_t stale_messages = 0;       // of an older term
  uint64_t protocol_violations = 0;  // what no correct member sends; dropped
};

class Core {
 public:
  // kDataLoss when `initial` contradicts itself.
  static Result<std::unique_ptr<Core>> create(const CoreConfig& config, InitialState initial,
                                              Rng& rng, Instant now);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  void receive(Message message, Instant now);
  void tick(Instant now);
  Instant next_deadline() const;
  Effects take_effects();
  // The effects with this persist_seq, and all before, are durable.
  void persisted(uint64_t seq, Instant now);

  // The place the proposal got; it may still be superseded. kUnavailable (not leader, handing
  // over), kInvalidArgument (too big), kResourceExhausted (too much uncommitted).
  Result<Position> propose(std::string data, Instant now);
  // Also kConflict while another change is under way, and what Configuration::check says.
  // kUnavailable for the promotion of a learner that is still far behind.
  Result<Position> propose_conf_change(const ConfChange& change, Instant now);
  Result<Position> propose_conf_change(const ConfChangeSet& set, Instant now);
  // Answered by Effects::reads, or never when leadership changes. kUnavailable, kResourceExhausted.
  Status read_index(uint64_t context, Instant now);
  // Hands leadership to a voter. kUnavailable (not leader), kInvalidArgument (not another voter).
  Status transfer(RaftId to, Instant now);
  // Starts an election now, for tests and for an operator's order.
  void campaign(Instant now);
  // A leader becomes a follower without a successor.
  void step_down(Instant now);
  // A follower acts as if it had not heard of its leader yet, and may help to depose it. Does
  // nothing with lease_reads.
  void forget_leader();
  // Draws the next election timeout by hand: so long after the timer was last set.
  void set_election_timeout(Duration timeout) { election_deadline_ = election_start_ + timeout; }

  // The state at applied(), for each of Effects::snapshot_requests.
  void provide_snapshot(RaftId to, std::shared_ptr<const Snapshot> snapshot, Instant now);
  // The transfer of a snapshot ended; the acknowledgement itself comes as a message.
  void report_snapshot(RaftId to, bool delivered, Instant now);
  // Messages to this member are lost: a leader feels its way instead of filling the pipe.
  void report_unreachable(RaftId to);
  // Entries up to `index` are covered by a durable snapshot.
  void compact(Index index) { log_.compact(index); }

  Role role() const { return role_; }
  Term term() const { return term_; }
  RaftId vote() const { return vote_; }
  RaftId leader() const { return leader_; }
  RaftId transferee() const { return transferee_; }
  const Log& log() const { return log_; }
  const Configuration& configuration() const { return configuration_; }
  const std::map<RaftId, Progress>& progress() const { return progress_; }  // leader only
  const CoreCounters& counters() const { return counters_; }
  // Of a leader: the entry that confirms the changes of members applied so far. The commit index is
  // saved lazily, so a committed change may be forgotten when all restart, and then the quorum it
  // replaced is needed again. Whoever has this entry saved has saved that the changes before it are
  // committed; when it is committed, a quorum of the new voters can do without anybody else.
  Position confirmation() const;
  // Whether a leader heard from this member within an election timeout.
  bool recently_heard(RaftId id) const;

 private:
  enum class Campaign { kPreElection, kElection, kTransfer };

  Core(const CoreConfig& config, InitialState initial, Rng& rng, Instant now);

  // core.cc
  void advance(Instant now) { now_ = std::max(now_, now); }
  bool check_term(const Message& message);
  void dispatch(Message& message);
  void answer_stale(const Message& message);
  void send(Message message);
  void send_early(Message message);
  Message to_peer(MessageType type, RaftId to) const;
  bool alone() const { return progress_.size() == 1 && progress_.contains(config_.id); }
  bool self_is_voter() const { return configuration_.is_voter(config_.id); }

  // election.cc
  void become_follower(Term term, RaftId leader);
  void become_leader();
  void start_campaign(Campaign kind);
  void record_vote(RaftId from, bool granted);
  void handle_vote_request(const Message& message);
  void handle_vote_response(const Message& message);
  void handle_timeout_now(const Message& message);
  void reset_election_deadline();
  bool in_lease() const;
  void check_quorum();
  void tick_leader();
  void abort_transfer() { transferee_ = 0; }
  bool may_campaign() const;
  bool has_unapplied_conf_change() const;

  // replication.cc
  void append_own(EntryType type, std::string data);
  bool send_append(RaftId to, bool even_if_empty);
  void broadcast_append();
  void tell_commit();
  void send_commit_notices();
  void send_proposals();
  void broadcast_heartbeat();
  bool maybe_commit();
  void handle_append(Message& message);
  void handle_append_response(const Message& message);
  void handle_heartbeat(const Message& message);
  void handle_heartbeat_response(const Message& message);
  void hear_leader(const Message& message);
  void maybe_hand_over(RaftId to);

  // membership.cc
  void apply_conf_entry(const Entry& entry);
  Result<Position> append_change(const ConfChangeSet& set);
  bool lags(RaftId id) const;
  bool maybe_leave_joint();
  void follow_changes(bool changed);
  void adopt(Configuration next);
  void members_changed();
  void retire();
  Progress make_progress(Index next) const;

  // read_index.cc
  void handle_read_index(const Message& message);
  void handle_read_index_response(const Message& message);
  void start_read(RaftId from, uint64_t context);
  void release_reads();
  void finish_read(RaftId from, uint64_t context, Index index);
  uint64_t confirmed_round() const;
  void extend_lease();
  bool lease_holds() const;
  bool committed_in_term() const;

  // snapshot.cc
  void request_snapshot(RaftId to, Progress& progress);
  void handle_snapshot(const Message& message);

  struct Pending {  // a save handed out and not yet durable
    uint64_t seq = 0;
    Term term = 0;
    RaftId vote = 0;
    Index last_index = 0;
    Term last_term = 0;
  };
  struct PendingRead {
    RaftId from = 0;
    uint64_t context = 0;
    Index index = 0;
    uint64_t round = 0;  // 0: waits for the first commit of this term
  };

  const CoreConfig config_;
  Rng& rng_;
  Instant now_;

  Term term_ = 0;
  RaftId vote_ = 0;
  RaftId leader_ = 0;
  Role role_ = Role::kFollower;
  Log log_;
  Configuration configuration_;
  // Was a voter and is none now. Such a member may still be needed (thesis 4.2.2): those who have
  // not heard that the change is committed wait for its vote, and its log may be the longest.
  bool was_voter_ = false;
  HardState saved_;  // as last handed out
  SoftState told_;   // as last told
  std::deque<Pending> pending_;
  uint64_t persist_seq_ = 0;
  std::shared_ptr<const Snapshot> snapshot_;  // received, to be handed out
  bool members_changed_ = true;
  bool proposed_ = false;  // and not sent
  const Instant started_;
  std::vector<Message> messages_;
  std::vector<Message> early_messages_;
  std::vector<ReadState> reads_;
  std::vector<RaftId> snapshot_requests_;
  CoreCounters counters_;

  // follower and candidate
  Instant election_deadline_;
  Instant election_start_;  // when the deadline was set
  Instant leader_heard_;
  std::map<RaftId, bool> votes_;

  // leader
  std::map<RaftId, Progress> progress_;  // of every member, itself too
  Instant heartbeat_deadline_;
  Instant notice_deadline_ = Instant::max();  // when followers are told of commits at the latest
  Index pending_conf_index_ = 0;              // no new change before this one is applied
  Index confirmation_ = 0;
  RaftId transferee_ = 0;
  Instant transfer_deadline_;
  uint64_t read_round_ = 0;                         // never goes back
  std::deque<std::pair<uint64_t, Instant>> beats_;  // with a lease: rounds and when they were sent
  Instant lease_end_;
  bool lease_broken_ = false;  // whoever was told to take over may do so at any time
  std::deque<PendingRead> pending_reads_;
  size_t uncommitted_bytes_ = 0;
};

}  // namespace shoal::raft
