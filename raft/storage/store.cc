#include "raft/storage/store.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/codec/crc32c.h"
#include "base/runtime/files.h"
#include "raft/storage/rocksdb_options.h"

namespace shoal::raft {
namespace {

constexpr std::string_view kWhat = "the raft log";
constexpr std::string_view kSnapshotPrefix = "snapshot-";

// Runs `work` on the thread and waits for its result.
template <typename F>
auto run_on(WorkThread& thread, F work) -> decltype(work()) {
  std::promise<decltype(work())> promise;
  thread.post([&] { promise.set_value(work()); });
  return promise.get_future().get();
}

}  // namespace

RocksLogStore::RocksLogStore(std::string directory, Strand& strand)
    : directory_(std::move(directory)), strand_(strand), thread_("raft-log") {}

RocksLogStore::~RocksLogStore() = default;

Result<std::unique_ptr<RocksLogStore>> RocksLogStore::open(const std::string& directory,
                                                           Strand& strand) {
  const Status made = make_directories(directory);
  if (!made) return made.error();
  std::unique_ptr<RocksLogStore> store(new RocksLogStore(directory, strand));
  const Status opened = run_on(store->thread_, [&] { return store->open_database(); });
  if (!opened) return opened.error();
  return store;
}

Status RocksLogStore::open_database() {
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::Open(small_rocksdb_options(), directory_, &raw);
  if (!status.ok()) return rocksdb_error(status, std::string(kWhat), directory_);
  database_.reset(raw);
  const std::string version = SHOAL_TRY(get(format::kVersionKey));
  if (!version.empty()) {
    const Status known = format::check_version(version);
    return known ? known : Status(known.error().wrap(std::string(kWhat) + " in " + directory_));
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto written =
      database_->Put(synced, rocksdb::Slice(format::kVersionKey), format::encode_version());
  if (!written.ok()) return rocksdb_error(written, std::string(kWhat), directory_);
  return ok_status();
}

Result<std::string> RocksLogStore::get(std::string_view key) {
  if (!database_) return failed_.error();  // it could not be opened again
  std::string value;
  const auto status = database_->Get(rocksdb::ReadOptions(), rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::string();
  if (!status.ok()) return rocksdb_error(status, std::string(kWhat), directory_);
  return value;
}

Error RocksLogStore::bad_record(const Error& error, const std::string& what) const {
  return {error.code, std::string(kWhat) + " in " + directory_ + " is damaged (" + what + ": " +
                          error.message + "). Remove this manager from the cluster, delete " +
                          directory_ + " and join it again, or restore a backup"};
}

Result<LogStore::Loaded> RocksLogStore::load() {
  return run_on(thread_, [this] { return read_all(); });
}

Result<std::string> RocksLogStore::load_snapshot() {
  return run_on(thread_, [this] { return read_snapshot(); });
}

Result<LogStore::Loaded> RocksLogStore::read_all() {
  if (!failed_.ok()) {
    // After a failed write RocksDB refuses all others. Its Resume() writes to the log file that
    // failed, which ends the process: a file with an error is only good for closing.
    database_.reset();
    SHOAL_TRY(open_database());
  }
  Loaded loaded;
  const std::string hard = SHOAL_TRY(get(format::kHardStateKey));
  if (!hard.empty()) {
    const auto state = format::decode_hard_state(hard);
    if (!state) return bad_record(state.error(), "term and vote");
    loaded.hard_state = *state;
  }
  const std::string snapshot = SHOAL_TRY(get(format::kSnapshotKey));
  if (!snapshot.empty()) {
    const auto record = format::decode_snapshot(snapshot);
    if (!record) return bad_record(record.error(), "snapshot record");
    loaded.snapshot = record->meta;
  }
  const std::string offset = SHOAL_TRY(get(format::kOffsetKey));
  if (!offset.empty()) {
    const auto start = format::decode_offset(offset);
    if (!start) return bad_record(start.error(), "log offset");
    loaded.offset = start->index;
    loaded.offset_term = start->term;
  }
  const Status entries = read_entries(loaded);
  if (!entries) return entries.error();
  offset_ = loaded.offset;
  last_ = loaded.offset + loaded.entries.size();
  snapshot_index_ = loaded.snapshot.index;
  remove_old_snapshots();
  failed_ = ok_status();
  return loaded;
}

Status RocksLogStore::read_entries(Loaded& loaded) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // read once
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(options));
  Index next = loaded.offset;
  for (it->Seek(format::entry_key(loaded.offset + 1)); it->Valid(); it->Next()) {
    if (!it->key().starts_with(std::string_view(&format::kEntryPrefix, 1))) break;
    auto entry = format::decode_entry(it->key().ToStringView(), it->value().ToStringView());
    if (!entry) return bad_record(entry.error(), "entry " + std::to_string(next + 1));
    if (entry->index != ++next) {
      return bad_record(data_loss("missing"), "entry " + std::to_string(next));
    }
    loaded.entries.push_back(std::move(*entry));
  }
  if (!it->status().ok()) return rocksdb_error(it->status(), std::string(kWhat), directory_);
  return ok_status();
}

std::string RocksLogStore::snapshot_path(Index index) const {
  return directory_ + "/" + std::string(kSnapshotPrefix) + std::to_string(index);
}

Result<std::string> RocksLogStore::read_snapshot() {
  const std::string value = SHOAL_TRY(get(format::kSnapshotKey));
  if (value.empty()) return not_found("there is no raft snapshot in " + directory_);
  const auto record = format::decode_snapshot(value);
  if (!record) return bad_record(record.error(), "snapshot record");
  const std::string path = snapshot_path(record->meta.index);
  auto data = read_file(path, kMaxSnapshotBytes);
  if (!data) return bad_record(data_loss(data.error().message), "file " + path);
  if (data->size() != record->size || crc32c(as_bytes(*data)) != record->crc) {
    return bad_record(data_loss("checksum mismatch"), "file " + path);
  }
  return data;
}

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
  for (Save& save : saves) {
    strand_.post([done = std::move(save.done), status] { done(status); });
  }
}

Status RocksLogStore::write(const std::vector<Save>& saves) {
  rocksdb::WriteBatch batch;
  const Index old_snapshot = snapshot_index_;
  for (const Save& save : saves) {
    const Status added = add(save.batch, batch);
    if (!added) return added;
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto begun = std::chrono::steady_clock::now();
  const auto written = database_->Write(synced, &batch);
  record_sync(std::chrono::steady_clock::now() - begun);
  if (!written.ok()) return rocksdb_error(written, std::string(kWhat), directory_);
  if (snapshot_index_ != old_snapshot) remove_old_snapshots();
  return ok_status();
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
  // The operations on one batch cannot fail: it is memory.
  const auto put = [&out](std::string_view key, const std::string& value) {
    (void)out.Put(rocksdb::Slice(key), value);
  };
  const auto drop = [&](Index from, Index to) {  // inclusive
    if (from > to) return;
    (void)out.DeleteRange(format::entry_key(from), format::entry_key(to + 1));
  };
  if (batch.hard_state) put(format::kHardStateKey, format::encode(*batch.hard_state));
  if (batch.snapshot) {
    const Snapshot& snapshot = *batch.snapshot;
    const Status file = write_snapshot_file(snapshot);
    if (!file) return file;
    put(format::kSnapshotKey,
        format::encode(format::SnapshotRecord{snapshot.meta, snapshot.data.size(),
                                              crc32c(as_bytes(snapshot.data))}));
    snapshot_index_ = snapshot.meta.index;
    if (batch.snapshot_replaces_log) {
      drop(offset_ + 1, last_);
      offset_ = last_ = snapshot.meta.index;
      put(format::kOffsetKey, format::encode(format::Offset{offset_, snapshot.meta.term}));
    }
  }
  if (!batch.entries.empty()) {
    const Index last = batch.entries.back().index;
    for (const Entry& entry : batch.entries) {
      put(format::entry_key(entry.index), format::encode(entry));
    }
    drop(last + 1, last_);
    last_ = last;
  }
  if (batch.compact_to > offset_) {
    drop(offset_ + 1, batch.compact_to);
    offset_ = batch.compact_to;
    put(format::kOffsetKey, format::encode(format::Offset{offset_, batch.compact_term}));
  }
  return ok_status();
}

Status RocksLogStore::write_snapshot_file(const Snapshot& snapshot) {
  const Status written = write_file_atomic(snapshot_path(snapshot.meta.index), snapshot.data);
  return written ? written : Status(written.error().wrap("the raft snapshot"));
}

// Files that no record names: older ones, and one whose record was not written before a crash.
void RocksLogStore::remove_old_snapshots() {
  std::error_code ignored;  // tried again at the next snapshot
  for (const auto& file : std::filesystem::directory_iterator(directory_, ignored)) {
    const std::string name = file.path().filename();
    if (name.starts_with(kSnapshotPrefix) && file.path() != snapshot_path(snapshot_index_)) {
      std::filesystem::remove(file.path(), ignored);
    }
  }
}

}  // namespace shoal::raft
