#include "raft/storage/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <memory>

namespace shoal::raft {
namespace {

constexpr size_t kBlockCacheBytes = 2U << 20;
constexpr size_t kWriteBufferBytes = 2U << 20;  // per database; two of them at most
constexpr size_t kMaxWalBytes = 8U << 20;       // read again at every start
constexpr size_t kInfoLogBytes = 1U << 20;

std::shared_ptr<rocksdb::Cache> shared_block_cache() {
  static const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, 0);
  return cache;
}

}  // namespace

rocksdb::Options small_rocksdb_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = shared_block_cache();
  table.cache_index_and_filter_blocks = true;

  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = kMaxWalBytes;
  options.max_background_jobs = 2;
  options.max_open_files = 64;
  options.compression = rocksdb::kNoCompression;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.keep_log_file_num = 2;
  options.max_log_file_size = kInfoLogBytes;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

Error rocksdb_error(const rocksdb::Status& status, const std::string& what,
                    const std::string& path) {
  const std::string detail = what + " in " + path + ": " + status.ToString();
  const bool file_lost = status.ToString().find("No such file") != std::string::npos;
  if (status.IsCorruption() || file_lost) {
    return data_loss(detail + ". Remove this manager from the cluster, delete " + path +
                     " and join it again, or restore a backup");
  }
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::SubCode::kNoSpace) {
    return resource_exhausted(detail + ". Free space on this disk");
  }
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    return conflict(detail + ". Another process has it open");
  }
  return internal_error(detail);
}

}  // namespace shoal::raft
