// Turns a store of format 1, which was not sealed, into one of format 2, in one write; see store.h.
#include <rocksdb/write_batch.h>

#include <filesystem>

#include "base/codec/crc32c.h"
#include "base/runtime/files.h"
#include "raft/storage/format_v1.h"
#include "raft/storage/rocksdb_options.h"
#include "raft/storage/store.h"

namespace shoal::raft {

// `loaded` gets what stands outside the batch: where the log begins.
Result<LogStore::Batch> RocksLogStore::read_plain(Loaded& loaded) {
  Batch batch;
  if (const std::string value = SHOAL_TRY(get(format_v1::kHardStateKey)); !value.empty()) {
    batch.hard_state = SHOAL_TRY(format_v1::decode_hard_state(value));
  }
  if (const std::string value = SHOAL_TRY(get(format_v1::kOffsetKey)); !value.empty()) {
    const auto start = SHOAL_TRY(format_v1::decode_offset(value));
    loaded.offset = start.index;
    loaded.offset_term = start.term;
  }
  if (const std::string value = SHOAL_TRY(get(format_v1::kSnapshotKey)); !value.empty()) {
    const auto record = SHOAL_TRY(format_v1::decode_snapshot(value));
    const std::string path = directory_ + "/" + std::string(format_v1::kSnapshotFile) +
                             std::to_string(record.meta.index);
    auto data = SHOAL_TRY(read_file(path, kMaxSnapshotBytes));
    if (data.size() != record.size || crc32c(as_bytes(data)) != record.crc) {
      return data_loss("file " + path + ": checksum mismatch");
    }
    batch.snapshot =
        std::make_shared<Snapshot>(Snapshot{record.meta, snapshot_text(std::move(data))});
  }
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(rocksdb::ReadOptions()));
  Index next = loaded.offset;
  for (it->Seek(format::entry_key(next + 1)); it->Valid(); it->Next()) {
    if (!it->key().starts_with(std::string_view(&format::kEntryPrefix, 1))) break;
    auto entry =
        SHOAL_TRY(format_v1::decode_entry(it->key().ToStringView(), it->value().ToStringView()));
    if (entry.index != ++next) return data_loss("entry " + std::to_string(next) + " is missing");
    batch.entries.push_back(std::move(entry));
  }
  if (!it->status().ok()) return rocksdb_error(it->status(), "the raft log", directory_);
  return batch;
}

Status RocksLogStore::upgrade() {
  Loaded start;
  const auto plain = read_plain(start);
  if (!plain) return bad_record(plain.error(), "a store of format 1");
  state_ = format::State();
  state_.offset = state_.last = start.offset;
  state_.offset_term = start.offset_term;
  rocksdb::WriteBatch batch;
  SHOAL_TRY(add(*plain, batch));
  state_.sequence = 1;
  state_.last_tag = tag_at(state_.last);
  (void)batch.Put(rocksdb::Slice(format::kStateKey),
                  sealer_.seal(format::kStatePlace, format::encode(state_)));
  for (const auto key :
       {format_v1::kHardStateKey, format_v1::kOffsetKey, format_v1::kSnapshotKey}) {
    (void)batch.Delete(rocksdb::Slice(key));
  }
  (void)batch.Put(rocksdb::Slice(format::kVersionKey), format::encode_version());
  SHOAL_TRY(write_synced(batch));
  // What lay open goes from the disk too.
  const auto flushed = database_->Flush(rocksdb::FlushOptions());
  if (!flushed.ok()) return rocksdb_error(flushed, "the raft log", directory_);
  const auto compacted = database_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr);
  if (!compacted.ok()) return rocksdb_error(compacted, "the raft log", directory_);
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(directory_, ignored)) {
    if (file.path().filename().string().starts_with(format_v1::kSnapshotFile)) {
      std::filesystem::remove(file.path(), ignored);
    }
  }
  return ok_status();
}

}  // namespace shoal::raft
