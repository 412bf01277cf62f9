// What the raft directory holds: a RocksDB database, the files snapshot-<index> and "acknowledged".
//
// Every record but "f" is sealed (base/crypto/sealer.h) under a key of this node, bound to its
// place. Integers are big endian. In the database:
//
//   key              place                                  record
//   "f"              -                                      format version u32 (2), not sealed
//   "t"              "state"                                sequence u64 | term, vote, commit u64 |
//                                                           offset, offset term u64 | offset tag |
//                                                           last u64 | last tag | snapshot index,
//                                                           snapshot term u64 | members
//   "e" index u64    "entry" | index u64 | tag of the       term u64 | type u8 | data
//                    entry before it
//
// members: count varint, count x (id u64, address text, learner + 2 * joint u8). tag: the 16 bytes
// at the end of a sealed entry; `offset tag` is that of the entry at `offset`, after which the log
// begins, and zero when a received snapshot is there. So the log is one chain, its end is in "t",
// and "t" is written with every batch, its sequence one higher: whatever is missing, old or out of
// place does not fit. What is lost at the very end is found by "acknowledged" (witness.h).
//
// snapshot-<index> is the snapshot's data in parts of 1 MiB, each sealed, in the place "snapshot" |
// index u64 | term u64 | number u64 | last u8. It is written and synced before the record that
// names it. A large state has no such file: the state machine's tables, synced up to there, are it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/codec/bytes.h"
#include "base/crypto/sealer.h"
#include "base/types/result.h"
#include "raft/types.h"

namespace shoal::raft::format {

inline constexpr uint32_t kVersion = 2;
inline constexpr std::string_view kVersionKey = "f";
inline constexpr std::string_view kStateKey = "t";
inline constexpr std::string_view kStatePlace = "state";
inline constexpr char kEntryPrefix = 'e';
inline constexpr std::string_view kSnapshotFile = "snapshot-";
// Begun and not yet a snapshot of this store; of no use to the next run.
inline constexpr std::string_view kUnfinishedFile = "unfinished-";
inline constexpr size_t kSnapshotPart = 1U << 20;

// All that is small, written whole with every batch.
struct State {
  uint64_t sequence = 0;
  HardState hard_state;
  Index offset = 0;
  Term offset_term = 0;
  crypto::Tag offset_tag{};
  Index last = 0;
  crypto::Tag last_tag{};
  SnapshotMeta snapshot;

  friend bool operator==(const State&, const State&) = default;
};

std::string entry_key(Index index);
std::optional<Index> parse_entry_key(std::string_view key);
std::string entry_place(Index index, const crypto::Tag& previous);

std::string encode_version();
std::string encode(const State& state);
std::string encode(const Entry& entry);

// kDataLoss when it is none, kUnimplemented for another version than this one: what to do.
Status check_version(std::string_view value);
// kDataLoss when the form is wrong.
Result<State> decode_state(std::string_view record);
Result<Entry> decode_entry(Index index, std::string_view record);

// The place of a part of snapshot-<index>.
std::string snapshot_place(Index index, Term term, uint64_t number, bool last);

}  // namespace shoal::raft::format
