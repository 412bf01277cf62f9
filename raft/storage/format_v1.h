// What the raft database held before it was sealed (format 1), for reading only: store_upgrade.cc
// turns such a store into one of format 2.
//
// Every value begins with a CRC-32C of its key and the rest of the value. Integers are big endian.
//
//   "f"               format version u32 (1)
//   "h"               crc u32 | term u64 | vote u64 | commit u64
//   "o"               crc u32 | offset u64 | offset term u64      the log begins after it
//   "s"               crc u32 | index u64 | term u64 | size u64 | crc of data u32 | count varint |
//                     count x (id u64, address text, learner u8)
//   "e" index u64     crc u32 | term u64 | type u8 | data
//
// The snapshot's data is the file snapshot-<index>.
#pragma once

#include <string_view>

#include "base/types/result.h"
#include "raft/types.h"

namespace shoal::raft::format_v1 {

inline constexpr std::string_view kHardStateKey = "h";
inline constexpr std::string_view kOffsetKey = "o";
inline constexpr std::string_view kSnapshotKey = "s";
inline constexpr std::string_view kSnapshotFile = "snapshot-";

struct Offset {
  Index index = 0;
  Term term = 0;
};

struct SnapshotRecord {
  SnapshotMeta meta;
  uint64_t size = 0;
  uint32_t crc = 0;
};

// kDataLoss when the checksum or the form is wrong.
Result<HardState> decode_hard_state(std::string_view value);
Result<Offset> decode_offset(std::string_view value);
Result<SnapshotRecord> decode_snapshot(std::string_view value);
Result<Entry> decode_entry(std::string_view key, std::string_view value);

}  // namespace shoal::raft::format_v1
