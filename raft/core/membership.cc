// Membership: one change at a time, proposed as an entry, in effect when it is applied.
#include "raft/core/core.h"

namespace shoal::raft {
namespace {

// A learner that lacks more than this, or never answered, is not promoted: the quorum would wait
// for it.
constexpr Index kMaxPromotionLag = 1000;

}  // namespace

Result<Position> Core::propose_conf_change(const ConfChange& change, Instant now) {
  advance(now);
  if (role_ != Role::kLeader) return unavailable("this node is not the raft leader");
  if (transferee_ != 0) return unavailable("leadership is being handed over: try again");
  // Without an entry of its own term committed, a leader may not know of an earlier change.
  if (!committed_in_term()) return unavailable("the new leader is settling: try again");
  if (pending_conf_index_ > log_.applied()) {
    return conflict("another membership change is in progress: try again when it is done");
  }
  const Status allowed = configuration_.check(change);
  if (!allowed) return allowed.error();
  const RaftId id = change.member.id;
  if (change.kind == ConfChangeKind::kAddVoter && configuration_.contains(id) &&
      !configuration_.is_voter(id) &&
      (progress_.at(id).match == 0 ||
       progress_.at(id).match + kMaxPromotionLag < log_.committed())) {
    return unavailable("raft member " + std::to_string(id) +
                       " is still receiving the log: try again");
  }
  append_own(EntryType::kConfChange, encode(change));
  pending_conf_index_ = log_.last_index();
  broadcast_append();
  return Position{log_.last_index(), term_};
}

Progress Core::make_progress(Index next) const {
  return Progress(next, now_, config_.max_inflight, config_.max_inflight_bytes);
}

void Core::apply_conf_entry(const Entry& entry) {
  auto change = decode_conf_change(entry.data);
  if (!change) {
    ++counters_.protocol_violations;
    return;
  }
  // The one that leaves is told that it did, while we still count it.
  if (role_ == Role::kLeader && change->kind == ConfChangeKind::kRemove &&
      progress_.contains(change->member.id) && change->member.id != config_.id) {
    send_append(change->member.id, true);
  }
  Configuration next = configuration_;
  next.apply(*change);
  adopt(std::move(next));
}

void Core::adopt(Configuration next) {
  removed_ = (removed_ || self_is_voter()) && !next.contains(config_.id);
  configuration_ = std::move(next);
  members_changed();
}

void Core::members_changed() {
  members_changed_ = true;
  if (role_ != Role::kLeader) return;
  std::erase_if(progress_,
                [this](const auto& item) { return !configuration_.contains(item.first); });
  for (const auto& [id, member] : configuration_.members()) {
    if (progress_.try_emplace(id, make_progress(log_.last_index() + 1)).second) {
      send_append(id, true);
    }
  }
  if (transferee_ != 0 && !configuration_.is_voter(transferee_)) abort_transfer();
  // A smaller quorum may commit more.
  if (maybe_commit()) broadcast_append();
}

// A leader that is no longer a member has done its last duty when its term has a committed entry:
// it tells the others, and lets the best of them go on at once.
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
