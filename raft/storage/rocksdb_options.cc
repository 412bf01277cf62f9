#include "raft/storage/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "raft/storage/table_sums.h"

namespace shoal::raft {
namespace {

constexpr size_t kBlockCacheBytes = 2U << 20;
constexpr size_t kWriteBufferBytes = 8U << 20;  // per database; four of them at most
// Taken piece by piece: a small cluster never fills one.
constexpr size_t kArenaBlockBytes = 128U << 10;
constexpr size_t kMaxWalBytes = 16U << 20;  // read again at every start
// A table file goes to the disk in such steps, so that the log's fsync does not wait for all of it.
constexpr size_t kBytesPerSync = 256U << 10;
// Flushes and compactions are made in steps of less than a millisecond with rests between: a change
// that comes meanwhile shall not wait for a processor. Several times what a busy log writes.
constexpr size_t kFileBufferBytes = 128U << 10;
constexpr int64_t kBackgroundBytesPerSecond = 64 << 20;
constexpr int64_t kRefillMicroseconds = 5000;
constexpr size_t kMaxLogLine = 512;

// RocksDB begins a new manifest at 1 GiB; ours, of a few files each, end with every start.
constexpr size_t kMaxManifestBytes = 64U << 20;
constexpr size_t kLogBlockBytes = 32768;
constexpr size_t kLogHeaderBytes = 7;

std::shared_ptr<rocksdb::Cache> shared_block_cache() {
  static const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, 0);
  return cache;
}

std::shared_ptr<rocksdb::RateLimiter> shared_rate_limiter() {
  static const std::shared_ptr<rocksdb::RateLimiter> limiter(
      rocksdb::NewGenericRateLimiter(kBackgroundBytesPerSecond, kRefillMicroseconds));
  return limiter;
}

// RocksDB's words in the daemon's log. Its own log file would be one more to write on a full disk,
// and its writer ends the process at the second line that does not fit.
class DaemonLog final : public rocksdb::Logger {
 public:
  DaemonLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void LogHeader(const char*, va_list) override {}  // version and options, at every opening
  void Logv(const char* format, va_list arguments) override {
    char line[kMaxLogLine] = {};
    std::vsnprintf(line, sizeof line, format, arguments);
    std::replace(std::begin(line), std::end(line), '\n', ' ');
    log::warn("rocksdb", "{}", static_cast<const char*>(line));
  }
};

}  // namespace

rocksdb::Options small_rocksdb_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = shared_block_cache();
  table.cache_index_and_filter_blocks = true;

  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 4;
  options.arena_block_size = kArenaBlockBytes;
  options.bytes_per_sync = kBytesPerSync;
  options.max_total_wal_size = kMaxWalBytes;
  options.max_background_jobs = 2;
  options.rate_limiter = shared_rate_limiter();
  options.writable_file_max_buffer_size = kFileBufferBytes;
  options.max_open_files = 64;
  options.compression = rocksdb::kNoCompression;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.info_log = std::make_shared<DaemonLog>();
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.listeners.push_back(make_table_sums());
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

Status check_manifest(const std::string& directory) {
  const auto text = read_file(directory + "/CURRENT", kMaxManifestBytes);
  if (!text) return text.error().code == ErrorClass::kNotFound ? ok_status() : Status(text.error());
  const std::string path = directory + "/" + text->substr(0, text->find('\n'));
  const auto manifest = read_file(path, kMaxManifestBytes);
  if (!manifest) return data_loss(manifest.error().message);
  size_t at = 0;
  while (at < manifest->size()) {
    const size_t left_in_block = kLogBlockBytes - at % kLogBlockBytes;
    if (left_in_block < kLogHeaderBytes) {
      at += left_in_block;  // filled with zeros
      continue;
    }
    const auto byte = [&](size_t i) -> size_t {
      return i < manifest->size() ? static_cast<uint8_t>((*manifest)[i]) : 0;
    };
    const size_t length = byte(at + 4) | byte(at + 5) << 8;
    if (kLogHeaderBytes + length > left_in_block) break;
    at += kLogHeaderBytes + length;
  }
  if (at == manifest->size()) return ok_status();
  return data_loss(path + " does not end with a whole record");
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
