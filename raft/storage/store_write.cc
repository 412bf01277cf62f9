// The store's other half: saves, in batches, each with one fsync.
#include <rocksdb/write_batch.h>

#include <algorithm>

#include "base/runtime/files.h"
#include "base/runtime/pace.h"
#include "base/types/check.h"
#include "raft/storage/rocksdb_options.h"
#include "raft/storage/store.h"

namespace shoal::raft {
namespace {

constexpr size_t kSnapshotPiece = 64U << 10;  // about a millisecond of work

}  // namespace

void RocksLogStore::save(Batch batch, std::function<void(Status)> done) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(batch), std::move(done)});
  }
  thread_.post([this] { flush(); });
}

void RocksLogStore::flush() {
  std::vector<Save> saves;
  {
    const std::lock_guard lock(mutex_);
    saves.swap(queue_);
  }
  if (saves.empty()) return;  // an earlier job took them along
  if (failed_.ok()) failed_ = write(saves);
  const Status status = failed_;
  strand_.post([saves = std::make_shared<std::vector<Save>>(std::move(saves)), status] {
    for (const Save& save : *saves) save.done(status);
  });
}

// After a failure `state_` and `tags_` mean nothing until they are loaded again.
Status RocksLogStore::write(const std::vector<Save>& saves) {
  rocksdb::WriteBatch batch;
  const Index old_snapshot = state_.snapshot.index;
  for (const Save& save : saves) SHOAL_TRY(add(save.batch, batch));
  ++state_.sequence;
  state_.last_tag = tag_at(state_.last);
  (void)batch.Put(rocksdb::Slice(format::kStateKey),
                  sealer_.seal(format::kStatePlace, format::encode(state_)));
  SHOAL_TRY(write_synced(batch));
  witness_.note(state_.sequence);
  if (state_.snapshot.index != old_snapshot) remove_old_snapshots();
  return ok_status();
}

Status RocksLogStore::write_synced(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto begun = std::chrono::steady_clock::now();
  const auto written = database_->Write(synced, &batch);
  record_sync(std::chrono::steady_clock::now() - begun);
  return written.ok() ? ok_status() : Status(rocksdb_error(written, "the raft log", directory_));
}

void RocksLogStore::record_sync(std::chrono::steady_clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  const std::lock_guard lock(mutex_);
  sync_us_.push_back(static_cast<uint64_t>(us));
  if (sync_us_.size() > kSyncTimes) sync_us_.pop_front();
}

SyncTimes RocksLogStore::sync_times() const {
  std::vector<uint64_t> times;
  {
    const std::lock_guard lock(mutex_);
    times.assign(sync_us_.begin(), sync_us_.end());
  }
  if (times.empty()) return {};
  SyncTimes out{times.size(), 0, 0, times.back()};
  std::sort(times.begin(), times.end());
  out.p50_us = times[times.size() / 2];
  out.p99_us = times[times.size() * 99 / 100];
  return out;
}

Status RocksLogStore::add(const Batch& batch, rocksdb::WriteBatch& out) {
  if (batch.hard_state) state_.hard_state = *batch.hard_state;
  if (batch.snapshot) SHOAL_TRY(add_snapshot(batch, out));
  if (!batch.entries.empty()) add_entries(batch.entries, out);
  if (batch.compact_to > state_.offset) {
    const crypto::Tag tag = tag_at(batch.compact_to);
    // The operations on a batch cannot fail: it is memory.
    (void)out.DeleteRange(format::entry_key(state_.offset + 1),
                          format::entry_key(batch.compact_to + 1));
    tags_.erase(tags_.begin(),
                tags_.begin() + static_cast<ptrdiff_t>(batch.compact_to - state_.offset));
    state_.offset = batch.compact_to;
    state_.offset_term = batch.compact_term;
    state_.offset_tag = tag;
  }
  return ok_status();
}

void RocksLogStore::write_out(SnapshotMeta meta, std::unique_ptr<SnapshotSource> source,
                              bool with_data, SnapshotCallback done) {
  writer_.post([this, meta = std::move(meta), with_data, done = std::move(done),
                source = std::shared_ptr<SnapshotSource>(std::move(source))]() mutable {
    Result<std::shared_ptr<const Snapshot>> result =
        std::make_shared<const Snapshot>(Snapshot{meta, nullptr});
    if (with_data) {
      Pace pace;  // this thread only: saves wait for the other
      result = write_state(meta, *source, [&pace] { pace.rest_when_due(); });
    } else if (const Status durable = source->make_durable(); !durable) {
      result = durable.error();
    }
    source.reset();  // it may hold files of the tables
    strand_.post([done = std::move(done), result = std::move(result)] { done(result); });
  });
}

Result<std::shared_ptr<const Snapshot>> RocksLogStore::write_state(
    const SnapshotMeta& meta, SnapshotSource& source, const std::function<void()>& between) {
  const auto writer = SHOAL_TRY(StateFileWriter::create(directory_, key_, meta.index, meta.term));
  while (true) {
    const std::string piece = SHOAL_TRY(source.next(kSnapshotPiece));
    if (piece.empty()) break;
    SHOAL_TRY(writer->add(piece));
    if (writer->size() > kMaxSnapshotBytes) {
      return resource_exhausted("the state is too large for a raft snapshot");
    }
    between();
  }
  auto data = SHOAL_TRY(writer->finish());
  return std::make_shared<const Snapshot>(Snapshot{meta, std::move(data)});
}

// The data gets the name by which it is found again.
Status RocksLogStore::keep_state(const Snapshot& snapshot) {
  const auto file = std::dynamic_pointer_cast<const StateFile>(snapshot.data);
  if (!file) {  // it lies elsewhere
    class Reader final : public SnapshotSource {
     public:
      explicit Reader(const SnapshotData& data) : data_(data) {}
      uint64_t size_hint() const override { return data_.size(); }
      Result<std::string> next(size_t most) override {
        auto piece = data_.read(offset_, most);
        if (piece) offset_ += piece->size();
        return piece;
      }
      Status make_durable() override { return ok_status(); }

     private:
      const SnapshotData& data_;
      uint64_t offset_ = 0;
    };
    Reader reader(*snapshot.data);
    return keep_state(*SHOAL_TRY(write_state(snapshot.meta, reader, [] {})));
  }
  const std::string path = snapshot_path(snapshot.meta.index);
  SHOAL_TRY(file->keep_as(path));
  return sync_directory_of(path);
}

Status RocksLogStore::add_snapshot(const Batch& batch, rocksdb::WriteBatch& out) {
  const Snapshot& snapshot = *batch.snapshot;
  const Status kept = snapshot.data ? keep_state(snapshot) : ok_status();
  if (!kept) return kept.error().wrap("the raft snapshot");
  state_.snapshot = snapshot.meta;
  if (batch.snapshot_replaces_log) {
    if (state_.last > state_.offset) {
      (void)out.DeleteRange(format::entry_key(state_.offset + 1),
                            format::entry_key(state_.last + 1));
    }
    tags_.clear();
    state_.offset = state_.last = snapshot.meta.index;
    state_.offset_term = snapshot.meta.term;
    state_.offset_tag = crypto::Tag{};
  }
  return ok_status();
}

void RocksLogStore::add_entries(const std::vector<Entry>& entries, rocksdb::WriteBatch& out) {
  const Index first = entries.front().index;
  SHOAL_CHECK(first > state_.offset && first <= state_.last + 1, "a save leaves a gap in the log");
  const Index old_last = state_.last;
  crypto::Tag previous = tag_at(first - 1);
  tags_.resize(first - 1 - state_.offset);
  for (const Entry& entry : entries) {
    const std::string sealed =
        sealer_.seal(format::entry_place(entry.index, previous), format::encode(entry));
    previous = crypto::tag_of(sealed);
    tags_.push_back(previous);
    (void)out.Put(format::entry_key(entry.index), sealed);
  }
  state_.last = entries.back().index;
  if (old_last > state_.last) {
    (void)out.DeleteRange(format::entry_key(state_.last + 1), format::entry_key(old_last + 1));
  }
}

crypto::Tag RocksLogStore::tag_at(Index index) const {
  return index == state_.offset ? state_.offset_tag : tags_[index - state_.offset - 1];
}

}  // namespace shoal::raft
