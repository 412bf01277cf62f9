// Checksums of the ends of RocksDB's table files, each in a file beside it ("000012.sst.sum").
//
// RocksDB checks its blocks as it reads them, but for the properties at the end of a file, which it
// parses first: damage there can end the process. So the end is checked before the database is
// opened. A sum is not synced; one that is absent or torn says nothing.
//
//   crc32c of the last 64 KiB u32 | crc32c of that u32        big endian
#pragma once

#include <rocksdb/listener.h>

#include <memory>
#include <string>

#include "base/types/result.h"

namespace shoal::raft {

// Writes and removes the sums. On RocksDB's threads.
std::shared_ptr<rocksdb::EventListener> make_table_sums();

// kDataLoss when a table file in `directory` is not what its sum says.
Status check_table_sums(const std::string& directory);

}  // namespace shoal::raft
