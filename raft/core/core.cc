#include "raft/core/core.h"

#include <algorithm>

#include "base/types/check.h"
#include "base/types/mark.h"

namespace shoal::raft {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "unknown";
}

bool Effects::empty() const {
  return early_messages.empty() && persist_seq == 0 && messages.empty() && committed.empty() &&
         reads.empty() && !soft_state && !members && snapshot_requests.empty();
}

InitialState bootstrap_state(const Member& self) {
  InitialState state;
  state.hard_state = {.term = 1, .vote = 0, .commit = 1};
  Member voter = self;
  voter.learner = false;
  state.entries.push_back({.term = 1,
                           .index = 1,
                           .type = EntryType::kConfChange,
                           .data = encode({ConfChangeKind::kAddVoter, voter})});
  return state;
}

Result<std::unique_ptr<Core>> Core::create(const CoreConfig& config, InitialState initial, Rng& rng,
                                           Instant now) {
  SHOAL_CHECK(config.id != 0, "a member needs an id");
  SHOAL_CHECK(!config.lease_reads || config.check_quorum, "a lease needs check_quorum");
  Index next = initial.offset;
  for (const Entry& entry : initial.entries) {
    if (entry.index != ++next) {
      return data_loss("the raft log has a gap before entry " + std::to_string(entry.index));
    }
  }
  if (initial.applied < initial.snapshot.index || initial.applied > next ||
      initial.snapshot.index < initial.offset) {
    return data_loss("the raft log (" + std::to_string(initial.offset + 1) + " to " +
                     std::to_string(next) + "), its snapshot (" +
                     std::to_string(initial.snapshot.index) + ") and the applied state (" +
                     std::to_string(initial.applied) +
                     ") do not belong together: a file of this manager's state is lost or damaged; "
                     "restore it from a backup, or remove this manager from the cluster, empty its "
                     "state directory and let it join again");
  }
  // The commit index is saved lazily, so what is applied may be ahead of it.
  initial.hard_state.commit = std::min(std::max(initial.hard_state.commit, initial.applied), next);
  return std::unique_ptr<Core>(new Core(config, std::move(initial), rng, now));
}

Core::Core(const CoreConfig& config, InitialState initial, Rng& rng, Instant now)
    : config_(config),
      rng_(rng),
      now_(now),
      term_(initial.hard_state.term),
      vote_(initial.hard_state.vote),
      configuration_(initial.snapshot.members),
      saved_(initial.hard_state),
      started_(now) {
  const Index snapshot = initial.snapshot.index;
  // Snapshots are sent to members only, so who is not in its own was removed before it was taken;
  // a learner in it may have been a voter.
  was_voter_ = config.on_removal == OnRemoval::kHandOver && !initial.snapshot.members.empty() &&
               !self_is_voter();
  const Index applied = initial.applied;
  log_ = Log(initial.offset, initial.offset_term, std::move(initial.entries),
             initial.hard_state.commit, applied);
  for (Index i = snapshot + 1; i <= applied; ++i) {
    if (log_.at(i).type == EntryType::kConfChange) apply_conf_entry(log_.at(i));
  }
  told_.term = term_;
  leader_heard_ = now;
  reset_election_deadline();
}

void Core::receive(Message message, Instant now) {
  advance(now);
  if (message.to != config_.id || message.from == 0 || message.from == config_.id) {
    ++counters_.protocol_violations;
    return;
  }
  if (check_term(message)) dispatch(message);
}

// Adopts a newer term, answers an older one. False when the message is done with.
bool Core::check_term(const Message& message) {
  const bool asks_vote =
      message.type == MessageType::kVote || message.type == MessageType::kPreVote;
  if (message.term > term_) {
    // Who hears a leader does not help to depose it (thesis 4.2.3), unless the leader asked for it.
    if (asks_vote && !message.force && in_lease()) {
      SHOAL_MARK("vote: refused, a leader was heard");
      return false;
    }
    const bool keeps_term = message.type == MessageType::kPreVote ||
                            (message.type == MessageType::kPreVoteResp && !message.reject);
    if (keeps_term) return true;
    const bool from_leader = message.type == MessageType::kAppend ||
                             message.type == MessageType::kHeartbeat ||
                             message.type == MessageType::kSnapshot;
    become_follower(message.term, from_leader ? message.from : 0);
    return true;
  }
  if (message.term == term_) return true;
  ++counters_.stale_messages;
  answer_stale(message);
  return false;
}

// A deposed leader, or a member returning with an older term, learns of the newer one.
void Core::answer_stale(const Message& message) {
  const bool from_leader = message.type == MessageType::kAppend ||
                           message.type == MessageType::kHeartbeat ||
                           message.type == MessageType::kSnapshot;
  if (from_leader && (config_.check_quorum || config_.pre_vote)) {
    SHOAL_MARK("term: a deposed leader is told");
    send(to_peer(MessageType::kAppendResp, message.from));
  } else if (message.type == MessageType::kPreVote) {
    SHOAL_MARK("vote: pre-vote of an older term refused");
    Message answer = to_peer(MessageType::kPreVoteResp, message.from);
    answer.reject = true;
    send(std::move(answer));
  }
}

void Core::dispatch(Message& message) {
  switch (message.type) {
    case MessageType::kVote:
    case MessageType::kPreVote:
      return handle_vote_request(message);
    case MessageType::kVoteResp:
    case MessageType::kPreVoteResp:
      return handle_vote_response(message);
    case MessageType::kAppend:
      return handle_append(message);
    case MessageType::kAppendResp:
      return handle_append_response(message);
    case MessageType::kHeartbeat:
      return handle_heartbeat(message);
    case MessageType::kHeartbeatResp:
      return handle_heartbeat_response(message);
    case MessageType::kSnapshot:
      return handle_snapshot(message);
    case MessageType::kTimeoutNow:
      return handle_timeout_now(message);
    case MessageType::kReadIndex:
      return handle_read_index(message);
    case MessageType::kReadIndexResp:
      return handle_read_index_response(message);
  }
  ++counters_.protocol_violations;
}

void Core::tick(Instant now) {
  advance(now);
  if (role_ == Role::kLeader) {
    tick_leader();
  } else if (now_ >= election_deadline_) {
    reset_election_deadline();
    if (may_campaign()) {
      start_campaign(config_.pre_vote ? Campaign::kPreElection : Campaign::kElection);
    } else {
      SHOAL_MARK("campaign: timed out and may not");
      leader_ = 0;
    }
  }
}

Instant Core::next_deadline() const {
  if (role_ == Role::kLeader) {
    // Alone it has nobody to send to, and its reads need no lease.
    return alone() ? notice_deadline_ : std::min(heartbeat_deadline_, notice_deadline_);
  }
  return election_deadline_;
}

Effects Core::take_effects() {
  Effects effects;
  send_proposals();
  effects.early_messages = std::exchange(early_messages_, {});
  const HardState hard{term_, vote_, log_.committed()};
  const bool hard_changed = hard.term != saved_.term || hard.vote != saved_.vote;
  if (hard_changed || snapshot_ || log_.has_unstable()) {
    effects.snapshot = std::exchange(snapshot_, nullptr);
    effects.entries = log_.take_unstable();
    effects.hard_state = saved_ = hard;
    effects.persist_seq = ++persist_seq_;
    pending_.push_back({persist_seq_, term_, vote_, log_.last_index(), log_.last_term()});
  }
  effects.messages = std::exchange(messages_, {});
  if (log_.has_next_committed()) {
    effects.committed = log_.next_committed(config_.max_apply_bytes);
    log_.applied_to(effects.committed.back().index);
    bool changed = false;
    for (const Entry& entry : effects.committed) {
      if (entry.type == EntryType::kConfChange) {
        apply_conf_entry(entry);
        changed = true;
      }
      if (role_ == Role::kLeader) {
        uncommitted_bytes_ -= std::min(uncommitted_bytes_, entry_bytes(entry));
      }
    }
    follow_changes(changed);
  }
  if (config_.on_removal == OnRemoval::kHandOver && role_ == Role::kLeader && !self_is_voter() &&
      committed_in_term() && log_.applied() >= confirmation_) {
    SHOAL_MARK("membership: a removed leader retires");
    retire();
  }
  effects.reads = std::exchange(reads_, {});
  effects.snapshot_requests = std::exchange(snapshot_requests_, {});
  const SoftState soft{leader_, term_, role_};
  if (soft != told_) effects.soft_state = told_ = soft;
  if (std::exchange(members_changed_, false)) effects.members = configuration_.list();
  return effects;
}

void Core::persisted(uint64_t seq, Instant now) {
  advance(now);
  bool own_vote = false;
  while (!pending_.empty() && pending_.front().seq <= seq) {
    const Pending& done = pending_.front();
    // A save of an older term may have been truncated and written again since; the first save of
    // this term covers what is left of it.
    if (done.term == term_) {
      log_.stable_to(done.last_index, done.last_term);
    } else {
      SHOAL_MARK("save: durable after the term ended");
    }
    own_vote = own_vote || (done.term == term_ && done.vote == config_.id);
    pending_.pop_front();
  }
  if (own_vote && role_ == Role::kCandidate) record_vote(config_.id, true);
  if (role_ == Role::kLeader) {
    const auto self = progress_.find(config_.id);
    if (self != progress_.end()) self->second.update(log_.stable());
    if (maybe_commit()) tell_commit();
  }
}

Message Core::to_peer(MessageType type, RaftId to) const {
  Message message;
  message.type = type;
  message.from = config_.id;
  message.to = to;
  message.term = term_;
  return message;
}

void Core::send(Message message) { messages_.push_back(std::move(message)); }

void Core::send_early(Message message) { early_messages_.push_back(std::move(message)); }

}  // namespace shoal::raft
