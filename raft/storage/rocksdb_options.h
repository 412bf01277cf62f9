// One set of RocksDB options for every database of the daemon, sized for a process of tens of
// megabytes: small write buffers, one small block cache shared by all, two background threads.
#pragma once

#include <rocksdb/options.h>

#include <string>

#include "base/types/result.h"

namespace shoal::raft {

// Creates what is missing. Of a damaged write-ahead log everything before the damage is kept and
// nothing after it: whether that is all there should be is for the owner to know.
rocksdb::Options small_rocksdb_options();

// RocksDB takes a manifest whose end is damaged for one that was being written, and goes on with an
// older list of files. kDataLoss when the manifest of `directory` does not end with a whole record
// (its format: RocksDB's log, blocks of 32 KiB with records of crc u32 | length u16 | type u8 |
// data). A directory without a database is fine.
Status check_manifest(const std::string& directory);

// An error for people: kConflict when another process has the database open, kDataLoss for
// corruption (says to remove and rejoin this manager), kResourceExhausted for a full disk, else
// kInternal. `what` and `path` name the database.
Error rocksdb_error(const rocksdb::Status& status, const std::string& what,
                    const std::string& path);

}  // namespace shoal::raft
