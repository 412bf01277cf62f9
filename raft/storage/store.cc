#include "raft/storage/store.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/runtime/files.h"
#include "base/runtime/system_ports.h"
#include "raft/storage/rocksdb_options.h"
#include "raft/storage/table_sums.h"

namespace shoal::raft {
namespace {

// Nobody waits for a snapshot; whoever waits for a change shall not wait longer.
constexpr int kSnapshotNice = 10;

constexpr std::string_view kWhat = "the raft log";

// Runs `work` on the thread and waits for its result.
template <typename F>
auto run_on(WorkThread& thread, F work) -> decltype(work()) {
  std::promise<decltype(work())> promise;
  thread.post([&] { promise.set_value(work()); });
  return promise.get_future().get();
}

// What a crash left of snapshots that were being written or received.
void remove_unfinished(const std::string& directory) {
  std::error_code ignored;  // tried again at the next start
  for (const auto& file : std::filesystem::directory_iterator(directory, ignored)) {
    if (file.path().filename().string().starts_with(format::kUnfinishedFile)) {
      std::filesystem::remove(file.path(), ignored);
    }
  }
}

std::array<uint8_t, 16> random_run() {
  std::array<uint8_t, 16> run{};
  SystemRng().fill(run);
  return run;
}

}  // namespace

RocksLogStore::RocksLogStore(std::string directory, const crypto::Key& key, Strand& strand)
    : directory_(std::move(directory)),
      strand_(strand),
      key_(key),
      inbox_(directory_, key),
      sealer_(key, random_run()),
      writer_("raft-snapshot", kSnapshotNice),
      thread_("raft-log") {}

RocksLogStore::~RocksLogStore() = default;

Result<std::unique_ptr<RocksLogStore>> RocksLogStore::open(const std::string& directory,
                                                           const crypto::Key& key, Strand& strand) {
  SHOAL_TRY(make_directories(directory));
  remove_unfinished(directory);
  std::unique_ptr<RocksLogStore> store(new RocksLogStore(directory, key, strand));
  SHOAL_TRY(run_on(store->thread_, [&] { return store->open_database(); }));
  return store;
}

Status RocksLogStore::open_database() {
  SHOAL_TRY(witness_.open(directory_ + "/" + std::string(kWitnessFile)));
  const Status sums = check_table_sums(directory_);
  if (!sums) return bad_record(sums.error(), "a table file");
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::Open(small_rocksdb_options(), directory_, &raw);
  if (!status.ok()) return rocksdb_error(status, std::string(kWhat), directory_);
  database_.reset(raw);
  const std::string value = SHOAL_TRY(get(format::kVersionKey));
  if (value.empty()) {
    rocksdb::WriteBatch batch;
    (void)batch.Put(rocksdb::Slice(format::kVersionKey), format::encode_version());
    return write_synced(batch);
  }
  const Status known = format::check_version(value);
  return known ? known : Status(known.error().wrap(std::string(kWhat) + " in " + directory_));
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

Result<std::shared_ptr<const SnapshotData>> RocksLogStore::load_snapshot() {
  return run_on(thread_, [this] { return open_snapshot(); });
}

Result<LogStore::Loaded> RocksLogStore::read_all() {
  if (!failed_.ok()) {
    // After a failed write RocksDB refuses all others. Its Resume() writes to the log file that
    // failed, which ends the process: a file with an error is only good for closing.
    database_.reset();
    SHOAL_TRY(open_database());
  }
  state_ = format::State();
  tags_.clear();
  const std::string sealed = SHOAL_TRY(get(format::kStateKey));
  if (!sealed.empty()) {
    const auto record = sealer_.open(format::kStatePlace, sealed);
    if (!record) return bad_record(record.error(), "state record");
    const auto state = format::decode_state(*record);
    if (!state) return bad_record(state.error(), "state record");
    state_ = *state;
  }
  if (state_.sequence < witness_.sequence()) {
    return bad_record(data_loss("it ends at write " + std::to_string(state_.sequence) + " of " +
                                std::to_string(witness_.sequence())),
                      "what was acknowledged last is missing");
  }
  Loaded loaded;
  loaded.hard_state = state_.hard_state;
  loaded.snapshot = state_.snapshot;
  loaded.offset = state_.offset;
  loaded.offset_term = state_.offset_term;
  SHOAL_TRY(read_entries(loaded));
  remove_old_snapshots();
  failed_ = ok_status();
  return loaded;
}

Status RocksLogStore::read_entries(Loaded& loaded) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // read once
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(options));
  crypto::Tag previous = state_.offset_tag;
  it->Seek(format::entry_key(state_.offset + 1));
  for (Index index = state_.offset + 1; index <= state_.last; ++index, it->Next()) {
    const std::string what = "entry " + std::to_string(index);
    if (!it->Valid()) {
      if (!it->status().ok()) return rocksdb_error(it->status(), std::string(kWhat), directory_);
      return bad_record(data_loss("missing"), what);
    }
    if (it->key() != rocksdb::Slice(format::entry_key(index))) {
      return bad_record(data_loss("missing"), what);
    }
    const std::string_view sealed = it->value().ToStringView();
    const auto record = sealer_.open(format::entry_place(index, previous), sealed);
    if (!record) return bad_record(record.error(), what);
    auto entry = format::decode_entry(index, *record);
    if (!entry) return bad_record(entry.error(), what);
    previous = crypto::tag_of(sealed);
    tags_.push_back(previous);
    loaded.entries.push_back(std::move(*entry));
  }
  if (!it->status().ok()) return rocksdb_error(it->status(), std::string(kWhat), directory_);
  if (previous != state_.last_tag) return bad_record(data_loss("not the last"), "the last entry");
  return ok_status();
}

std::string RocksLogStore::snapshot_path(Index index) const {
  return directory_ + "/" + std::string(format::kSnapshotFile) + std::to_string(index);
}

Result<std::shared_ptr<const SnapshotData>> RocksLogStore::open_snapshot() {
  const SnapshotMeta& meta = state_.snapshot;
  if (meta.index == 0) return not_found("there is no raft snapshot in " + directory_);
  auto file = StateFile::open(snapshot_path(meta.index), key_, meta.index, meta.term);
  if (file) return std::shared_ptr<const SnapshotData>(std::move(*file));
  if (file.error().code != ErrorClass::kNotFound) return file.error();
  return bad_record(
      data_loss("the tables do not have what was applied up to entry " +
                std::to_string(meta.index) + ", and neither does " + snapshot_path(meta.index)),
      "the state");
}

// Files that no record names: older ones, and one whose record was not written before a crash.
void RocksLogStore::remove_old_snapshots() {
  std::error_code ignored;  // tried again at the next snapshot
  const std::string kept = snapshot_path(state_.snapshot.index);
  for (const auto& file : std::filesystem::directory_iterator(directory_, ignored)) {
    const std::string name = file.path().filename();
    if (name.starts_with(format::kSnapshotFile) && file.path() != kept) {
      std::filesystem::remove(file.path(), ignored);
    }
  }
}

}  // namespace shoal::raft
