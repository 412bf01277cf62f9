// RocksLogStore: the LogStore of the daemon, a RocksDB directory and a snapshot file in it.
//
// Layout on disk: raft/storage/format.h; all of it sealed under `key`. Saves are queued to one work
// thread; whatever is queued when the thread is free is written as one synced batch (group commit).
// Another thread writes snapshots out, so that no save waits for one.
//
// What it loads is what it last acknowledged, or more (a write under way at a crash); damaged or
// missing records are kDataLoss, never something else.
//
// Thread rule: all public functions on the strand; the database is touched by the work thread only,
// but for open().
#pragma once

#include <rocksdb/db.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/runtime/strand.h"
#include "raft/driver/ports.h"
#include "raft/storage/format.h"
#include "raft/storage/inbox.h"
#include "raft/storage/witness.h"

namespace shoal::raft {

// How long the last synced writes took, in microseconds; all 0 before the first.
struct SyncTimes {
  uint64_t count = 0;  // that the percentiles are of
  uint64_t p50_us = 0;
  uint64_t p99_us = 0;
  uint64_t last_us = 0;
};

class RocksLogStore final : public LogStore {
 public:
  // So many writes are remembered: minutes of a quiet cluster, seconds of a busy one.
  static constexpr size_t kSyncTimes = 512;

  // Opens or makes the store in `directory` (made if needed; its parent must exist). kDataLoss,
  // kConflict (open elsewhere), kUnimplemented (another format), each saying what to do. `strand`
  // runs the callbacks and must outlive the store.
  static Result<std::unique_ptr<RocksLogStore>> open(const std::string& directory,
                                                     const crypto::Key& key, Strand& strand);
  ~RocksLogStore() override;  // finishes the saves under way

  Result<Loaded> load() override;
  Result<std::shared_ptr<const SnapshotData>> load_snapshot() override;
  void write_out(SnapshotMeta meta, std::unique_ptr<SnapshotSource> source, bool with_data,
                 SnapshotCallback done) override;
  // What arrives there can be saved here.
  SnapshotInbox& inbox() { return inbox_; }
  void save(Batch batch, std::function<void(Status)> done) override;
  // From any thread.
  SyncTimes sync_times() const;

 private:
  struct Save {
    Batch batch;
    std::function<void(Status)> done;
  };

  RocksLogStore(std::string directory, const crypto::Key& key, Strand& strand);

  // store.cc
  Status open_database();
  Result<Loaded> read_all();
  Status read_entries(Loaded& loaded);
  Result<std::shared_ptr<const SnapshotData>> open_snapshot();
  Result<std::string> get(std::string_view key);  // empty when absent
  void remove_old_snapshots();
  std::string snapshot_path(Index index) const;
  Error bad_record(const Error& error, const std::string& what) const;

  // store_write.cc
  void flush();
  Status write(const std::vector<Save>& saves);
  Status write_synced(rocksdb::WriteBatch& batch);
  void record_sync(std::chrono::steady_clock::duration took);
  Status add(const Batch& batch, rocksdb::WriteBatch& out);
  // `between` is called after each piece.
  Result<std::shared_ptr<const Snapshot>> write_state(const SnapshotMeta& meta,
                                                      SnapshotSource& source,
                                                      const std::function<void()>& between);
  Status keep_state(const Snapshot& snapshot);
  Status add_snapshot(const Batch& batch, rocksdb::WriteBatch& out);
  void add_entries(const std::vector<Entry>& entries, rocksdb::WriteBatch& out);
  crypto::Tag tag_at(Index index) const;

  const std::string directory_;
  Strand& strand_;
  const crypto::SecretKey key_;
  FileInbox inbox_;
  std::unique_ptr<rocksdb::DB> database_;  // none while it cannot be opened again; failed_ says why

  mutable std::mutex mutex_;  // guards queue_ and sync_us_
  std::vector<Save> queue_;
  std::deque<uint64_t> sync_us_;  // oldest first

  // Of the work thread.
  crypto::Sealer sealer_;
  Witness witness_;
  format::State state_;           // as of the last save, or the load
  std::deque<crypto::Tag> tags_;  // of the entries after state_.offset
  Status failed_;

  WorkThread writer_;  // of snapshots, beside the saves
  WorkThread thread_;  // last: its jobs use what is above
};

}  // namespace shoal::raft
