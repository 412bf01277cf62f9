// Backup: the file that `shoal backup` writes: the whole state of a cluster at one moment. Pure.
//
//   "SHOALBAK" 8 | version u32 (1) | header size u32 | state size u64 |
//   header: cluster id text | taken at i64 | taken on text | index u64 | term u64 |
//           networks u32 | endpoints u32 | nodes u32 | locked u8
//   state: store.Snapshot (manager/wire) | SHA-256 of everything before it, 32
//
// While autolock is on a backup is locked (1): its state is sealed (base/crypto/sealer.h) under a
// key derived from the cluster's unlock key, in the place of all that stands before it. A node's
// data key has no part in it, for a backup must open on other nodes. Sizes come before what they
// are of, so that a file cut short is told from one that was changed. A later version may add to
// the header. The state holds the CA's key: whoever can read one that is not locked can join the
// cluster and speak for every node of it.
#pragma once

#include <array>
#include <optional>
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
  bool locked = false;

  friend bool operator==(const BackupHeader&, const BackupHeader&) = default;
};

struct Backup {
  BackupHeader header;
  std::string state;
};

// Locks a backup.
struct BackupLock {
  std::string unlock_key;
  std::array<uint8_t, 16> run;  // random, drawn for this backup
};

// `header.locked` is set here.
std::string encode_backup(BackupHeader header, std::string_view state,
                          const std::optional<BackupLock>& lock);
// `unlock_key`: empty when not given; unused when the backup is not locked. kInvalidArgument: no
// backup at all, or not the key it was locked with. kUnauthenticated: it is locked and there is no
// key. kDataLoss: cut short or changed. kUnimplemented: of a newer version. Each with a sentence.
Result<Backup> decode_backup(std::string_view file, const std::string& unlock_key);

}  // namespace shoal::manager
