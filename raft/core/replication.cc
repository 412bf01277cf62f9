// Log replication: proposals, appends, acknowledgements, commit, heartbeats.
#include <algorithm>

#include "base/types/mark.h"
#include "raft/core/core.h"

namespace shoal::raft {
namespace {

// Heartbeats of which the time is kept, for the lease: more than any answer takes to come back.
constexpr size_t kMaxBeats = 64;

}  // namespace

Result<Position> Core::propose(std::string data, Instant now) {
  advance(now);
  if (role_ != Role::kLeader || !configuration_.contains(config_.id)) {
    return unavailable(leader_ == 0 ? "the cluster has no leader at the moment: try again"
                                    : "this node is not the raft leader");
  }
  if (transferee_ != 0) {
    SHOAL_MARK("proposal: refused, leadership is handed over");
    return unavailable("leadership is being handed over: try again");
  }
  if (data.size() > kMaxEntryBytes) {
    return invalid_argument("a proposal of " + std::to_string(data.size()) +
                            " bytes is over the limit of " + std::to_string(kMaxEntryBytes));
  }
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + data.size() > config_.max_uncommitted_bytes) {
    SHOAL_MARK("proposal: refused, too much is not committed");
    return resource_exhausted("too many changes wait to be replicated: try again");
  }
  append_own(EntryType::kCommand, std::move(data));
  if (config_.gather_proposals) {
    proposed_ = true;
  } else {
    broadcast_append();
  }
  return Position{log_.last_index(), term_};
}

// What was proposed since the last effects were taken goes in one append.
void Core::send_proposals() {
  if (!std::exchange(proposed_, false) || role_ != Role::kLeader) return;
  for (const auto& [id, progress] : progress_) {
    if (id == config_.id || !send_append(id, true)) continue;
    while (send_append(id, false)) {  // what one message cannot hold
    }
  }
}

void Core::append_own(EntryType type, std::string data) {
  Entry entry{.term = term_, .index = log_.last_index() + 1, .type = type, .data = std::move(data)};
  uncommitted_bytes_ += entry_bytes(entry);
  std::vector<Entry> entries;
  entries.push_back(std::move(entry));
  log_.append(std::move(entries));
}

// Sends what `to` lacks, if its window allows. False when nothing was sent.
bool Core::send_append(RaftId to, bool even_if_empty) {
  Progress& progress = progress_.at(to);
  if (progress.paused()) return false;
  const auto previous_term = log_.term(progress.next - 1);
  if (!previous_term) {
    request_snapshot(to, progress);
    return false;
  }
  Message append = to_peer(MessageType::kAppend, to);
  append.index = progress.next - 1;
  append.log_term = *previous_term;
  append.commit = log_.committed();
  if (progress.may_send_entries()) {
    append.entries = log_.slice(progress.next, log_.last_index() + 1, config_.max_append_bytes);
  }
  if (append.entries.empty() && !even_if_empty) return false;
  size_t bytes = 0;
  for (const Entry& entry : append.entries) bytes += entry_bytes(entry);
  progress.sent(append.entries.size(), bytes, append.commit);
  if (progress.flow_paused && progress.inflights.full()) SHOAL_MARK("append: the window is full");
  send_early(std::move(append));
  return true;
}

void Core::broadcast_append() {
  for (const auto& [id, progress] : progress_) {
    if (id != config_.id) send_append(id, true);
  }
}

// Followers apply what they know to be committed: nobody waits for that but who reads there.
void Core::tell_commit() {
  if (config_.commit_notice == Duration{0}) return broadcast_append();
  for (const auto& [id, progress] : progress_) {
    if (id != config_.id) send_append(id, false);
  }
  if (notice_deadline_ == Instant::max()) notice_deadline_ = now_ + config_.commit_notice;
}

void Core::send_commit_notices() {
  notice_deadline_ = Instant::max();
  for (const auto& [id, progress] : progress_) {
    if (id == config_.id || !progress.lacks_commit(log_.committed())) continue;
    SHOAL_MARK("commit: no append came along, told alone");
    send_append(id, true);
  }
}

void Core::broadcast_heartbeat() {
  heartbeat_deadline_ = now_ + config_.heartbeat_interval;
  if (config_.lease_reads) {
    beats_.emplace_back(++read_round_, now_);
    if (beats_.size() > kMaxBeats) beats_.pop_front();
  }
  for (const auto& [id, progress] : progress_) {
    if (id == config_.id) continue;
    Message beat = to_peer(MessageType::kHeartbeat, id);
    beat.commit = std::min(progress.match, log_.committed());
    beat.context = read_round_;
    send_early(std::move(beat));
  }
}

// Only entries of the own term are committed by counting (Raft paper, section 5.4.2).
bool Core::maybe_commit() {
  const Index index = configuration_.voters().committed_index([this](RaftId id) {
    const auto found = progress_.find(id);
    return found == progress_.end() ? Index{0} : found->second.match;
  });
  if (log_.term(std::min(index, log_.last_index())) != term_) {
    if (index > log_.committed()) SHOAL_MARK("commit: not of an older term by counting");
    return false;
  }
  const bool first_of_term = !committed_in_term();
  if (!log_.commit_to(index)) return false;
  if (first_of_term) release_reads();
  return true;
}

void Core::hear_leader(const Message& message) {
  if (role_ != Role::kFollower || leader_ != message.from) become_follower(term_, message.from);
  leader_heard_ = now_;
  reset_election_deadline();
}

void Core::handle_append(Message& message) {
  if (role_ == Role::kLeader) {
    ++counters_.protocol_violations;  // two leaders in one term
    return;
  }
  hear_leader(message);
  Message answer = to_peer(MessageType::kAppendResp, message.from);
  if (message.index < log_.committed()) {
    SHOAL_MARK("append: older than what is committed");
    answer.index = log_.committed();
    send(std::move(answer));
    return;
  }
  const Index last_new = message.index + message.entries.size();
  const Index refused = message.index;
  switch (log_.append_after(message.index, message.log_term, std::move(message.entries))) {
    case Log::AppendResult::kAppended:
      log_.commit_to(std::min(message.commit, last_new));
      answer.index = last_new;
      break;
    case Log::AppendResult::kMismatch: {
      SHOAL_MARK("append: refused, the logs do not meet");
      const auto [hint, hint_term] = log_.find_conflict_by_term(refused, message.log_term);
      answer.reject = true;
      answer.index = refused;
      answer.reject_hint = hint;
      answer.log_term = hint_term;
      break;
    }
    case Log::AppendResult::kRefused:
      ++counters_.protocol_violations;
      return;
  }
  send(std::move(answer));
}

void Core::handle_append_response(const Message& message) {
  const auto found = progress_.find(message.from);
  if (role_ != Role::kLeader || found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_heard = now_;
  progress.heard = true;
  if (message.index > log_.last_index()) {
    ++counters_.protocol_violations;  // acknowledges what was never sent
    return;
  }
  if (message.reject) {
    const Index hint = log_.find_conflict_by_term(message.reject_hint, message.log_term).first;
    const Index next = message.log_term > 0 ? hint : message.reject_hint;
    if (message.log_term > 0 && hint < message.reject_hint) {
      SHOAL_MARK("append: back over a term the other does not have");
    }
    if (progress.decrease(message.index, next)) {
      if (progress.state == ProgressState::kReplicate) {
        SHOAL_MARK("append: lost on the way, found by a refusal");
        progress.become_probe();
      }
      send_append(message.from, true);
    } else {
      SHOAL_MARK("append: a refusal of something older");
    }
    return;
  }
  const bool news = progress.update(message.index);
  if (progress.state == ProgressState::kSnapshot && progress.match + 1 >= log_.first_index()) {
    SHOAL_MARK("snapshot: caught up before it was reported");
  }
  // A probe may be confirmed at a match known before.
  if (!news && !(progress.match == message.index && progress.state == ProgressState::kProbe))
    return;
  if (progress.state == ProgressState::kProbe ||
      (progress.state == ProgressState::kSnapshot && progress.match + 1 >= log_.first_index())) {
    progress.become_replicate();
  } else if (progress.state == ProgressState::kReplicate) {
    progress.inflights.free_to(message.index);
  }
  if (maybe_commit()) {
    tell_commit();
  } else if (config_.commit_notice == Duration{0} && progress.lacks_commit(log_.committed())) {
    send_append(message.from, true);
  }
  while (progress_.contains(message.from) && send_append(message.from, false)) {
  }
  maybe_hand_over(message.from);
}

void Core::handle_heartbeat(const Message& message) {
  if (role_ == Role::kLeader) {
    ++counters_.protocol_violations;
    return;
  }
  hear_leader(message);
  log_.commit_to(message.commit);
  Message answer = to_peer(MessageType::kHeartbeatResp, message.from);
  answer.context = message.context;
  // It says "alive, and I know no newer term", which needs no durability: a slow disk must not
  // look like a dead follower.
  send_early(std::move(answer));
}

void Core::handle_heartbeat_response(const Message& message) {
  const auto found = progress_.find(message.from);
  if (role_ != Role::kLeader || found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_heard = now_;
  progress.heard = true;
  progress.flow_paused = false;
  // Also finds out about appends lost on the way: an empty one after them is refused.
  if (progress.match < log_.last_index() || progress.state == ProgressState::kProbe) {
    send_append(message.from, true);
  }
  if (message.context <= read_round_ && message.context > progress.read_round) {
    progress.read_round = message.context;
    extend_lease();
    release_reads();
  }
}

}  // namespace shoal::raft
