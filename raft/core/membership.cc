// Membership: one change at a time, or a set of them through a joint configuration; proposed as an
// entry, in effect when it is applied.
#include <algorithm>

#include "base/types/mark.h"
#include "raft/core/core.h"

namespace shoal::raft {
namespace {

// A learner that lacks more than this, or never answered, is not promoted: the quorum would wait
// for it.
constexpr Index kMaxPromotionLag = 1000;

}  // namespace

Result<Position> Core::propose_conf_change(const ConfChange& change, Instant now) {
  return propose_conf_change(ConfChangeSet{.changes = {change}, .single = true}, now);
}

Result<Position> Core::propose_conf_change(const ConfChangeSet& set, Instant now) {
  advance(now);
  if (role_ != Role::kLeader) return unavailable("this node is not the raft leader");
  if (transferee_ != 0) {
    SHOAL_MARK("membership: refused, leadership is handed over");
    return unavailable("leadership is being handed over: try again");
  }
  // Also what the log held at the election: one of those may be a change.
  if (pending_conf_index_ > log_.applied()) {
    SHOAL_MARK("membership: refused, another change is in progress");
    return conflict("another membership change is in progress: try again when it is done");
  }
  const Status allowed = configuration_.check(set);
  if (!allowed) return allowed.error();
  for (const ConfChange& change : set.changes) {
    if (change.kind == ConfChangeKind::kAddVoter && lags(change.member.id)) {
      SHOAL_MARK("membership: a learner that lags is not promoted");
      return unavailable("raft member " + std::to_string(change.member.id) +
                         " is still receiving the log: try again");
    }
    if (change.kind == ConfChangeKind::kAddVoter && configuration_.contains(change.member.id) &&
        !configuration_.is_voter(change.member.id)) {
      SHOAL_MARK("membership: a learner that caught up is promoted");
    }
  }
  return append_change(set);
}

bool Core::lags(RaftId id) const {
  const auto found = progress_.find(id);
  return found != progress_.end() && !configuration_.is_voter(id) &&
         (found->second.match == 0 || found->second.match + kMaxPromotionLag < log_.committed());
}

Result<Position> Core::append_change(const ConfChangeSet& set) {
  append_own(EntryType::kConfChange, encode(set));
  pending_conf_index_ = log_.last_index();
  broadcast_append();
  return Position{log_.last_index(), term_};
}

// A joint configuration that is to end by itself ends as soon as it is in effect here; after a
// change of leaders, when the new one has applied what it found.
bool Core::maybe_leave_joint() {
  if (role_ != Role::kLeader || !configuration_.leaves_joint_itself() ||
      pending_conf_index_ > log_.applied()) {
    return false;
  }
  SHOAL_MARK("membership: the joint configuration is left");
  if (log_.term(pending_conf_index_) != term_) {
    SHOAL_MARK("membership: the joint configuration is left by another leader");
  }
  (void)append_change({});
  return true;
}

// Whatever is appended now goes with a commit index that covers what was applied.
void Core::follow_changes(bool changed) {
  const bool left = maybe_leave_joint();
  if (!changed || role_ != Role::kLeader || !config_.confirm_changes) return;
  if (!left) {
    append_own(EntryType::kNoop, "");
    broadcast_append();
  }
  confirmation_ = log_.last_index();
}

Position Core::confirmation() const {
  return role_ == Role::kLeader ? Position{confirmation_, term_} : Position{};
}

Progress Core::make_progress(Index next) const {
  return Progress(next, now_, config_.max_inflight, config_.max_inflight_bytes);
}

void Core::apply_conf_entry(const Entry& entry) {
  const auto set = decode_conf_changes(entry.data);
  if (!set) {
    ++counters_.protocol_violations;
    return;
  }
  Configuration next = configuration_;
  next.apply(*set);
  adopt(std::move(next));
}

void Core::adopt(Configuration next) {
  was_voter_ = config_.on_removal == OnRemoval::kHandOver && (was_voter_ || self_is_voter()) &&
               !next.is_voter(config_.id);
  configuration_ = std::move(next);
  members_changed();
}

void Core::members_changed() {
  members_changed_ = true;
  if (role_ != Role::kLeader) return;
  std::erase_if(progress_,
                [this](const auto& item) { return !configuration_.contains(item.first); });
  for (const auto& [id, member] : configuration_.members()) {
    // It is asked about the last entry first; that it was just added counts as a sign of life.
    const auto [at, fresh] =
        progress_.try_emplace(id, make_progress(std::max(log_.last_index(), Index{1})));
    if (fresh) at->second.heard = true;
  }
  if (!self_is_voter() && config_.on_removal != OnRemoval::kHandOver) {
    if (config_.on_removal == OnRemoval::kStepDown) become_follower(term_, 0);
    return;
  }
  if (transferee_ != 0 && !configuration_.is_voter(transferee_)) {
    SHOAL_MARK("transfer: given up, no voter any more");
    abort_transfer();
  }
  // A smaller quorum may commit more.
  if (maybe_commit()) {
    SHOAL_MARK("membership: a smaller quorum commits more");
    return broadcast_append();
  }
  for (const auto& [id, progress] : progress_) {
    if (id != config_.id) send_append(id, false);
  }
}

// A leader that is no longer a member has done its last duty when its term has a committed entry
// and its removal is confirmed: it tells the others, and lets the best of them go on at once.
void Core::retire() {
  broadcast_append();
  RaftId best = 0;
  for (const auto& [id, progress] : progress_) {
    if (configuration_.is_voter(id) && (best == 0 || progress.match > progress_.at(best).match)) {
      best = id;
    }
  }
  if (best != 0) send_early(to_peer(MessageType::kTimeoutNow, best));
  become_follower(term_, 0);
}

}  // namespace shoal::raft
