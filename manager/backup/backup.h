// Backup: the file that `shoal backup` writes: the whole state of a cluster at one moment. Pure.
//
//   "SHOALBAK" 8 | version u32 (1) | header size u32 | state size u64 |
//   header: cluster id text | taken at i64 | taken on text | index u64 | term u64 |
//           networks u32 | endpoints u32 | nodes u32
//   state: store.Snapshot (manager/wire) | SHA-256 of everything before it, 32
//
// Sizes come before what they are of, so that a file cut short is told from one that was changed. A
// later version may add to the header. The state holds the CA's key: whoever can read the file can
// join the cluster and speak for every node of it.
#pragma once

#include <string>
#include <string_view>

#include "base/types/id.h"
#include "base/types/result.h"
#include "base/types/time.h"

namespace shoal::manager {

// A snapshot's bound (raft::kMaxSnapshotBytes) and what is around it.
inline constexpr size_t kMaxBackupBytes = (256U << 20) + (64U << 10);

struct BackupHeader {
  ClusterId cluster;
  WallTime taken_at;
  std::string taken_on;  // hostname
  uint64_t index = 0;    // of the last entry that the state holds
  uint64_t term = 0;
  uint32_t networks = 0;
  uint32_t endpoints = 0;
  uint32_t nodes = 0;

  friend bool operator==(const BackupHeader&, const BackupHeader&) = default;
};

struct Backup {
  BackupHeader header;
  std::string state;
};

std::string encode_backup(const BackupHeader& header, std::string_view state);
// kInvalidArgument: no backup at all. kDataLoss: cut short or changed. kUnimplemented: of a newer
// version. Each with a sentence.
Result<Backup> decode_backup(std::string_view file);

}  // namespace shoal::manager
