// Between raft::Message and its protobuf form. What arrives is checked here, before the core sees
// it: known types, bounded sizes, entries that follow each other and fit the sender's term.
#pragma once

#include "base/types/result.h"
#include "proto/raft.pb.h"
#include "raft/types.h"

namespace shoal::raft {

inline constexpr uint32_t kProtocolVersion = 1;
inline constexpr uint32_t kOldestProtocolVersion = 1;
// More than max_append_bytes can hold of empty entries.
inline constexpr int kMaxEntriesPerMessage = 4096;
// A piece of a snapshot: large enough that the answers to them cost nothing.
inline constexpr size_t kSnapshotChunkBytes = 256U << 10;
// Terms and indices beyond this were not counted up to; refusing them keeps additions from
// overflowing.
inline constexpr uint64_t kMaxIndex = uint64_t{1} << 62;

// Not for kSnapshot, which travels beside the messages.
void to_wire(const Message& message, wire::Message& out);
// kInvalidArgument says what is wrong with it.
Result<Message> from_wire(wire::Message&& in);

// What is told of a snapshot before its pieces.
struct SnapshotOffer {
  Term term = 0;  // the sender's
  SnapshotMeta meta;
  uint64_t size = 0;
  crypto::Sha256 digest{};
};

// Of a kSnapshot message; `hello` is left to the caller.
void to_wire(const Message& message, wire::SnapshotOffer& out);
// kInvalidArgument says what is wrong with it.
Result<SnapshotOffer> from_wire(const wire::SnapshotOffer& in);

}  // namespace shoal::raft
