// Read index (thesis 6.4): a read is served at the commit index of the moment it was asked, once a
// quorum has confirmed the leader after that. Rounds are numbered; every heartbeat carries the
// newest round, so one answer confirms all rounds up to it.
//
// With a lease no round is needed while it lasts: a quorum that answered a heartbeat grants no vote
// for an election timeout after it, and the leader counts from when it sent that heartbeat.
#include "base/types/mark.h"
#include "raft/core/core.h"

namespace shoal::raft {

bool Core::committed_in_term() const { return log_.term(log_.committed()) == term_; }

Status Core::read_index(uint64_t context, Instant now) {
  advance(now);
  if (leader_ == 0) return unavailable("the cluster has no leader at the moment: try again");
  if (role_ != Role::kLeader) {
    Message ask = to_peer(MessageType::kReadIndex, leader_);
    ask.context = context;
    send_early(std::move(ask));
    return ok_status();
  }
  if (pending_reads_.size() >= config_.max_pending_reads) {
    SHOAL_MARK("read: refused, too many wait");
    return resource_exhausted("too many reads wait for the leader's confirmation: try again");
  }
  start_read(config_.id, context);
  return ok_status();
}

void Core::start_read(RaftId from, uint64_t context) {
  if (lease_holds()) {
    SHOAL_MARK("read: by the lease");
    return finish_read(from, context, log_.committed());
  }
  if (config_.lease_reads && lease_broken_) SHOAL_MARK("lease: broken by a hand-over");
  if (config_.lease_reads && !lease_broken_ && lease_end_ > Instant{} && now_ >= lease_end_) {
    SHOAL_MARK("lease: lost");
  }
  PendingRead read{.from = from, .context = context, .index = log_.committed(), .round = 0};
  if (committed_in_term()) read.round = ++read_round_;
  pending_reads_.push_back(read);
  if (read.round == 0) return;
  broadcast_heartbeat();
  release_reads();
}

// Reads that came before the first commit of this term are given a round; confirmed ones leave.
void Core::release_reads() {
  if (!committed_in_term()) return;
  bool asked = false;
  for (PendingRead& read : pending_reads_) {
    if (read.round != 0) continue;
    SHOAL_MARK("read: waited for the first commit of the term");
    read.index = log_.committed();
    read.round = ++read_round_;
    asked = true;
  }
  if (asked) broadcast_heartbeat();
  const uint64_t confirmed = confirmed_round();
  while (!pending_reads_.empty() && pending_reads_.front().round <= confirmed) {
    const PendingRead read = pending_reads_.front();
    pending_reads_.pop_front();
    finish_read(read.from, read.context, read.index);
  }
}

uint64_t Core::confirmed_round() const {
  return configuration_.voters().committed_index([this](RaftId id) {
    if (id == config_.id) return read_round_;
    const auto found = progress_.find(id);
    return found == progress_.end() ? uint64_t{0} : found->second.read_round;
  });
}

void Core::extend_lease() {
  if (!config_.lease_reads) return;
  const uint64_t confirmed = confirmed_round();
  while (!beats_.empty() && beats_.front().first <= confirmed) {
    // A tenth for clocks that differ in speed.
    lease_end_ = beats_.front().second + config_.election_timeout_min / 10 * 9;
    beats_.pop_front();
  }
}

bool Core::lease_holds() const {
  return config_.lease_reads && !lease_broken_ && now_ < lease_end_ && committed_in_term();
}

void Core::finish_read(RaftId from, uint64_t context, Index index) {
  if (from == config_.id) {
    reads_.push_back({context, index});
    return;
  }
  Message answer = to_peer(MessageType::kReadIndexResp, from);
  answer.context = context;
  answer.index = index;
  send_early(std::move(answer));
}

void Core::handle_read_index(const Message& message) {
  if (role_ != Role::kLeader || !configuration_.contains(message.from)) return;
  if (pending_reads_.size() >= config_.max_pending_reads) {
    SHOAL_MARK("read: of a follower dropped, too many wait");
    return;  // the asker tries again
  }
  start_read(message.from, message.context);
}

void Core::handle_read_index_response(const Message& message) {
  if (message.from == leader_) reads_.push_back({message.context, message.index});
}

}  // namespace shoal::raft
