// Elections: pre-vote, vote, check-quorum and the hand-over of leadership.
#include <algorithm>

#include "base/types/mark.h"
#include "raft/core/core.h"

namespace shoal::raft {

void Core::reset_election_deadline() {
  const int64_t spread = (config_.election_timeout_max - config_.election_timeout_min).count();
  const auto extra = spread > 0 ? rng_.below(static_cast<uint64_t>(spread)) : 0;
  election_start_ = now_;
  election_deadline_ = now_ + config_.election_timeout_min + Duration(static_cast<int64_t>(extra));
}

// A leader that keeps its quorum, or a follower that heard its leader lately, does not vote it out.
bool Core::in_lease() const {
  if (!config_.check_quorum) return false;
  // Whom we had promised to hear is forgotten by a restart.
  if (config_.lease_reads && now_ < started_ + config_.election_timeout_min) {
    SHOAL_MARK("lease: kept by who has just started");
    return true;
  }
  if (role_ == Role::kLeader) return true;
  return leader_ != 0 && now_ < leader_heard_ + config_.election_timeout_min;
}

bool Core::has_unapplied_conf_change() const {
  for (Index i = log_.applied() + 1; i <= log_.committed(); ++i) {
    if (log_.at(i).type == EntryType::kConfChange) {
      SHOAL_MARK("campaign: a committed change of members is not applied");
      return true;
    }
  }
  return false;
}

bool Core::may_campaign() const {
  return role_ != Role::kLeader && (self_is_voter() || was_voter_) && !has_unapplied_conf_change();
}

void Core::campaign(Instant now) {
  advance(now);
  // An election out of turn would break the leader's lease.
  if (config_.lease_reads && in_lease() && configuration_.voters().ids().size() > 1) return;
  if (may_campaign()) {
    start_campaign(config_.pre_vote ? Campaign::kPreElection : Campaign::kElection);
  }
}

void Core::start_campaign(Campaign kind) {
  const bool pre = kind == Campaign::kPreElection;
  leader_ = 0;
  votes_.clear();
  role_ = pre ? Role::kPreCandidate : Role::kCandidate;
  reset_election_deadline();
  if (!pre) {
    ++term_;
    vote_ = config_.id;
    ++counters_.elections_started;
  }
  for (const RaftId id : configuration_.voters().ids()) {
    if (id == config_.id) continue;
    Message ask = to_peer(pre ? MessageType::kPreVote : MessageType::kVote, id);
    if (pre) ask.term = term_ + 1;
    ask.index = log_.last_index();
    ask.log_term = log_.last_term();
    ask.force = kind == Campaign::kTransfer;
    // A question needs no durability: nobody leads before its own vote is durable.
    send_early(std::move(ask));
  }
  // A pre-vote promises nothing; a vote counts when it is durable, in persisted().
  if (pre) record_vote(config_.id, true);
}

void Core::record_vote(RaftId from, bool granted) {
  votes_.emplace(from, granted);
  switch (configuration_.voters().vote_result(votes_)) {
    case VoteResult::kPending:
      return;
    case VoteResult::kLost:
      SHOAL_MARK("vote: lost");
      return become_follower(term_, 0);
    case VoteResult::kWon:
      if (role_ == Role::kPreCandidate) return start_campaign(Campaign::kElection);
      // Whoever leads and forgets it in a crash is elected in the same term again, by the same
      // votes, and writes other entries at the same places.
      if (!votes_.contains(config_.id)) {
        SHOAL_MARK("vote: won, but the own vote is not durable");
        return;
      }
      return become_leader();
  }
}

void Core::handle_vote_request(const Message& message) {
  const bool pre = message.type == MessageType::kPreVote;
  const bool free =
      vote_ == message.from || (vote_ == 0 && leader_ == 0) || (pre && message.term > term_);
  const bool grant = free && log_.is_up_to_date(message.index, message.log_term);
  if (!free) SHOAL_MARK("vote: refused, given to another");
  if (free && !grant) SHOAL_MARK("vote: refused, log behind");
  if (grant && vote_ == message.from) SHOAL_MARK("vote: given again");
  Message answer = to_peer(pre ? MessageType::kPreVoteResp : MessageType::kVoteResp, message.from);
  answer.reject = !grant;
  // A granted pre-vote speaks of the term asked for; a refusal teaches ours.
  if (grant) answer.term = message.term;
  if (grant && !pre) {
    vote_ = message.from;
    reset_election_deadline();
  }
  send(std::move(answer));
}

void Core::handle_vote_response(const Message& message) {
  const bool pre = message.type == MessageType::kPreVoteResp;
  if (role_ != (pre ? Role::kPreCandidate : Role::kCandidate)) return;
  // A grant of a pre-vote for another term answers an earlier attempt.
  if (pre && !message.reject && message.term != term_ + 1) {
    SHOAL_MARK("vote: pre-vote for an earlier attempt");
    return;
  }
  record_vote(message.from, !message.reject);
}

void Core::handle_timeout_now(const Message& message) {
  if (message.from != leader_ || !may_campaign()) {
    SHOAL_MARK("transfer: not taken over");
    return;
  }
  SHOAL_MARK("transfer: taken over");
  start_campaign(Campaign::kTransfer);
}

void Core::become_follower(Term term, RaftId leader) {
  if (term > term_) {
    term_ = term;
    vote_ = 0;
  }
  if (!pending_reads_.empty()) SHOAL_MARK("read: dropped by the end of leadership");
  if (transferee_ != 0) SHOAL_MARK("transfer: ended with the leadership");
  role_ = Role::kFollower;
  leader_ = leader;
  leader_heard_ = now_;
  votes_.clear();
  progress_.clear();
  pending_reads_.clear();
  transferee_ = 0;
  notice_deadline_ = Instant::max();
  reset_election_deadline();
}

void Core::become_leader() {
  role_ = Role::kLeader;
  leader_ = config_.id;
  transferee_ = 0;
  uncommitted_bytes_ = 0;
  pending_reads_.clear();
  progress_.clear();
  for (const auto& [id, member] : configuration_.members()) {
    progress_.emplace(id, make_progress(log_.last_index() + 1));
  }
  if (const auto self = progress_.find(config_.id); self != progress_.end()) {
    self->second.become_replicate();
    self->second.update(log_.stable());
  }
  // What the log holds may contain a change not applied yet.
  pending_conf_index_ = log_.last_index();
  lease_end_ = Instant{};
  lease_broken_ = false;
  beats_.clear();
  append_own(EntryType::kNoop, "");
  confirmation_ = config_.confirm_changes ? log_.last_index() : 0;
  heartbeat_deadline_ = now_ + config_.heartbeat_interval;
  broadcast_append();
}

void Core::step_down(Instant now) {
  advance(now);
  if (role_ != Role::kFollower) become_follower(term_, 0);
}

void Core::forget_leader() {
  // Under a lease that would be to break a promise.
  if (role_ == Role::kFollower && !config_.lease_reads) leader_ = 0;
}

bool Core::recently_heard(RaftId id) const {
  if (id == config_.id) return true;
  const auto found = progress_.find(id);
  if (found == progress_.end() || !found->second.heard) return false;
  return !config_.check_quorum || now_ < found->second.last_heard + config_.election_timeout_max;
}

// A leader cut off from the majority stops, so that its clients look elsewhere.
void Core::check_quorum() {
  // A member that has not answered yet gets the same time as one that did.
  const auto heard = [this](RaftId id) {
    const auto found = progress_.find(id);
    const bool in_time =
        found != progress_.end() && now_ < found->second.last_heard + config_.election_timeout_max;
    return Index{id == config_.id || in_time ? 1U : 0U};
  };
  if (configuration_.voters().committed_index(heard) == 0) {
    SHOAL_MARK("check-quorum: a leader without its quorum stops");
    become_follower(term_, 0);
  }
}

void Core::tick_leader() {
  if (now_ >= notice_deadline_) send_commit_notices();
  if (now_ < heartbeat_deadline_) return;
  if (config_.check_quorum) check_quorum();
  if (role_ != Role::kLeader) return;
  if (transferee_ != 0 && now_ >= transfer_deadline_) {
    SHOAL_MARK("transfer: given up, too late");
    abort_transfer();
  }
  for (auto& [id, progress] : progress_) {
    if (progress.state == ProgressState::kSnapshot && now_ >= progress.snapshot_deadline) {
      SHOAL_MARK("snapshot: nobody reported on it in time");
      progress.snapshot_index = 0;
      progress.become_probe();
    }
  }
  broadcast_heartbeat();
}

Status Core::transfer(RaftId to, Instant now) {
  advance(now);
  if (role_ != Role::kLeader) return unavailable("this node is not the raft leader");
  if (to == config_.id || !configuration_.is_voter(to)) {
    return invalid_argument("raft member " + std::to_string(to) + " is not another voter");
  }
  transferee_ = to;
  lease_broken_ = true;
  transfer_deadline_ = now_ + config_.election_timeout_max;
  maybe_hand_over(to);
  if (progress_.at(to).match < log_.last_index()) {
    SHOAL_MARK("transfer: to one that has to catch up");
    send_append(to, true);
  }
  return ok_status();
}

void Core::maybe_hand_over(RaftId to) {
  if (transferee_ != to || progress_.at(to).match < log_.last_index()) return;
  send_early(to_peer(MessageType::kTimeoutNow, to));
}

}  // namespace shoal::raft
