// Snapshots of the own state: to let go of the log, and to send. Both are written out on another
// thread while entries are applied.
#include <algorithm>

#include "base/types/mark.h"
#include "raft/driver/driver.h"

namespace shoal::raft {

// The log stands at a received snapshot that the state machine has not yet taken in.
bool Driver::installing() const {
  return std::any_of(saving_.begin(), saving_.end(),
                     [](const Saving& saving) { return saving.snapshot != nullptr; });
}

bool Driver::snapshot_due() const {
  const Log& log = core_->log();
  const Index last = std::max(snapshot_index_, snapshot_tried_);
  if (snapshotting_ || installing() || log.applied() <= last) return false;
  const bool many = log.applied() - last >= config_.snapshot_entries;
  if (!many && bytes_since_snapshot_ < config_.snapshot_log_bytes) return false;
  if (bytes_since_snapshot_ < copied_bytes_ / config_.snapshot_log_part) {
    SHOAL_MARK("compaction: the log is small beside the state");
    return false;
  }
  if (!many) SHOAL_MARK("compaction: the log is large");
  return true;
}

void Driver::maybe_snapshot() {
  if (!snapshot_due()) return;
  const Log& log = core_->log();
  snapshot_tried_ = log.applied();
  bytes_since_snapshot_ = 0;
  auto source = machine_.snapshot(log.applied());
  const bool copied = source->size_hint() <= config_.max_copied_state;
  if (!copied) SHOAL_MARK("compaction: the tables are the state's only copy");
  write_out(std::move(source), true, copied);
}

// Gives each member that asks the snapshot that is there, when the log goes on from it, or has a
// new one written.
void Driver::serve_snapshots() {
  if (snapshot_wanted_.empty() || !core_) return;
  if (sendable_ && sendable_->meta.index + 1 >= core_->log().first_index()) {
    for (const RaftId to : std::exchange(snapshot_wanted_, {})) {
      core_->provide_snapshot(to, sendable_, clock_.now());
    }
  } else if (!snapshotting_ && !installing()) {
    write_out(machine_.snapshot(core_->log().applied()), false, true);
  }
}

void Driver::write_out(std::unique_ptr<SnapshotSource> source, bool compacts, bool with_data) {
  const Index index = core_->log().applied();
  snapshotting_ = true;
  store_.write_out({index, *core_->log().term(index), configuration_.list()}, std::move(source),
                   with_data, [this, run = std::weak_ptr(run_), compacts](const auto& result) {
                     if (!run.expired()) written_out(result, compacts);
                   });
}

void Driver::written_out(const Result<std::shared_ptr<const Snapshot>>& result, bool compacts) {
  snapshotting_ = false;
  if (!result) {
    SHOAL_MARK("snapshot: the own state cannot be had now");
    // The log stays as it is, and it is tried again when it has grown as much once more, or when
    // somebody asks again.
    for (const RaftId to : std::exchange(snapshot_wanted_, {})) {
      core_->report_snapshot(to, false, clock_.now());
    }
    return pump();
  }
  // A newer one may have been received meanwhile.
  const Index index = (*result)->meta.index;
  if ((*result)->data && index + 1 >= core_->log().first_index()) sendable_ = *result;
  if (compacts) {
    copied_bytes_ = (*result)->data ? (*result)->data->size() : 0;
    const bool newer = installing() || index <= snapshot_index_;
    if (newer) SHOAL_MARK("snapshot: an own one, overtaken by one received");
    if (!newer) save_and_compact(*result);
  }
  serve_snapshots();
  pump();
}

void Driver::save_and_compact(const std::shared_ptr<const Snapshot>& snapshot) {
  const Index to = compaction_point(snapshot->meta.index);
  LogStore::Batch batch;
  batch.snapshot = snapshot;
  batch.compact_to = to;
  batch.compact_term = core_->log().term(to).value_or(0);
  snapshotting_ = true;
  store_.save(std::move(batch), [this, run = std::weak_ptr(run_), index = snapshot->meta.index,
                                 to](const Status& status) {
    if (run.expired()) return;
    snapshotting_ = false;
    if (!status) {
      SHOAL_MARK("storage: saving a snapshot failed");
      return storage_failed(status.error());
    }
    snapshot_index_ = index;
    core_->compact(to);
    serve_snapshots();
    pump();
  });
}

// Entries up to here may go when `snapshot` is durable.
Index Driver::compaction_point(Index snapshot) const {
  const Log& log = core_->log();
  const Index needed = needed_by_followers();
  Index point = snapshot;
  size_t bytes = 0;
  while (point >= log.first_index()) {
    bytes += entry_bytes(log.at(point));
    const bool recent = snapshot - point < config_.keep_entries;
    const bool tail = recent && bytes <= config_.snapshot_log_bytes / 2;
    if (recent && !tail) SHOAL_MARK("compaction: the tail is bounded by bytes");
    const bool held = point > needed && bytes <= config_.hold_log_bytes;
    if (!tail && !held) break;
    if (!tail) SHOAL_MARK("compaction: a follower needs more than the tail");
    --point;
  }
  return point;
}

// A leader's followers that answer have everything up to here, or will have.
Index Driver::needed_by_followers() const {
  Index needed = core_->log().last_index();
  if (core_->role() != Role::kLeader) return needed;
  for (const auto& [id, progress] : core_->progress()) {
    if (id == config_.core.id || !core_->recently_heard(id)) continue;
    needed = std::min(needed, std::max(progress.match, progress.snapshot_index));
  }
  return needed;
}

// A large one that was written to be sent takes room on the disk; nobody is being sent it any more.
void Driver::forget_sendable() {
  if (!core_ || !sendable_ || sendable_->meta.index == snapshot_index_) return;
  const auto& members = core_->progress();
  const bool sending = core_->role() == Role::kLeader &&
                       std::any_of(members.begin(), members.end(), [](const auto& item) {
                         return item.second.state == ProgressState::kSnapshot;
                       });
  if (!sending && snapshot_wanted_.empty()) sendable_.reset();
}

}  // namespace shoal::raft
