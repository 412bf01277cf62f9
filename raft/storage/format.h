// What the raft database holds. Keys are one letter, of an entry followed by its index; values have
// a checksum (CRC-32C of the key and the rest of the value) at their front, so that a value under
// a wrong key is found out too. Integers are big endian.
//
//   "f"               format version u32 (1); a store with a newer one is not touched
//   "h"               crc u32 | term u64 | vote u64 | commit u64
//   "o"               crc u32 | offset u64 | offset term u64      the log begins after it
//   "s"               crc u32 | index u64 | term u64 | size u64 | crc of data u32 | count varint |
//                     count x (id u64, address text, learner + 2 * joint u8)
//   "e" index u64     crc u32 | term u64 | type u8 | data
//
// The snapshot's data is a file beside the database, snapshot-<index>, written and synced before
// the "s" record that names it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types/result.h"
#include "raft/types.h"

namespace shoal::raft::format {

inline constexpr uint32_t kVersion = 1;
inline constexpr std::string_view kVersionKey = "f";
inline constexpr std::string_view kHardStateKey = "h";
inline constexpr std::string_view kOffsetKey = "o";
inline constexpr std::string_view kSnapshotKey = "s";
inline constexpr char kEntryPrefix = 'e';

struct Offset {
  Index index = 0;
  Term term = 0;
};

struct SnapshotRecord {
  SnapshotMeta meta;
  uint64_t size = 0;
  uint32_t crc = 0;
};

std::string entry_key(Index index);
std::optional<Index> parse_entry_key(std::string_view key);

std::string encode_version();
std::string encode(const HardState& state);
std::string encode(const Offset& offset);
std::string encode(const SnapshotRecord& record);
std::string encode(const Entry& entry);

// kDataLoss when the checksum or the form is wrong; kUnimplemented for a newer version.
Status check_version(std::string_view value);
Result<HardState> decode_hard_state(std::string_view value);
Result<Offset> decode_offset(std::string_view value);
Result<SnapshotRecord> decode_snapshot(std::string_view value);
Result<Entry> decode_entry(std::string_view key, std::string_view value);

}  // namespace shoal::raft::format
