// Snapshots: sending one to a follower whose next entry is compacted, and taking one in.
#include "base/types/mark.h"
#include "raft/core/core.h"

namespace shoal::raft {

void Core::request_snapshot(RaftId to, Progress& progress) {
  // Serialising the state for someone who is not there would be wasted.
  if (!recently_heard(to)) {
    SHOAL_MARK("snapshot: not made for one that is not there");
    return;
  }
  progress.become_snapshot(now_ + config_.snapshot_timeout);
  snapshot_requests_.push_back(to);
}

void Core::provide_snapshot(RaftId to, std::shared_ptr<const Snapshot> snapshot, Instant now) {
  advance(now);
  const auto found = progress_.find(to);
  if (role_ != Role::kLeader || found == progress_.end() ||
      found->second.state != ProgressState::kSnapshot) {
    return;
  }
  Progress& progress = found->second;
  progress.snapshot_index = progress.sent_commit = snapshot->meta.index;
  progress.next = snapshot->meta.index + 1;
  Message message = to_peer(MessageType::kSnapshot, to);
  message.snapshot = std::move(snapshot);
  send_early(std::move(message));
}

void Core::report_snapshot(RaftId to, bool delivered, Instant now) {
  advance(now);
  const auto found = progress_.find(to);
  if (role_ != Role::kLeader || found == progress_.end() ||
      found->second.state != ProgressState::kSnapshot) {
    return;
  }
  if (!delivered) {
    SHOAL_MARK("snapshot: interrupted");
    found->second.snapshot_index = 0;
  }
  found->second.become_probe();
  // The next heartbeat's answer starts the probe, after the follower had time to install.
  found->second.flow_paused = true;
}

void Core::report_unreachable(RaftId to) {
  const auto found = progress_.find(to);
  if (role_ == Role::kLeader && to != config_.id && found != progress_.end() &&
      found->second.state == ProgressState::kReplicate) {
    found->second.become_probe();
  }
}

void Core::handle_snapshot(const Message& message) {
  if (role_ == Role::kLeader || !message.snapshot) {
    ++counters_.protocol_violations;
    return;
  }
  hear_leader(message);
  const SnapshotMeta& meta = message.snapshot->meta;
  Message answer = to_peer(MessageType::kAppendResp, message.from);
  if (meta.index <= log_.committed()) {
    SHOAL_MARK("snapshot: older than what is committed");
    answer.index = log_.committed();
  } else if (log_.matches(meta.index, meta.term)) {
    // Everything is here already, only the commit index was not known.
    SHOAL_MARK("snapshot: of what is in the log");
    log_.commit_to(meta.index);
    answer.index = log_.committed();
  } else {
    log_.restore(meta.index, meta.term);
    adopt(Configuration(meta.members));
    snapshot_ = message.snapshot;
    answer.index = meta.index;
  }
  send(std::move(answer));
}

}  // namespace shoal::raft
