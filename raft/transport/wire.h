// Between raft::Message and its protobuf form. What arrives is checked here, before the core sees
// it: known types, bounded sizes, entries that follow each other and fit the sender's term.
#pragma once

#include "base/types/result.h"
#include "proto/raft.pb.h"
#include "raft/types.h"

namespace shoal::raft {

inline constexpr uint32_t kProtocolVersion = 1;
// More than max_append_bytes can hold of empty entries.
inline constexpr int kMaxEntriesPerMessage = 4096;
// A piece of a snapshot: small enough that a heartbeat behind it is not late.
inline constexpr size_t kSnapshotChunkBytes = 256U << 10;
// Terms and indices beyond this were not counted up to; refusing them keeps additions from
// overflowing.
inline constexpr uint64_t kMaxIndex = uint64_t{1} << 62;

// Not for kSnapshot, which travels in chunks.
void to_wire(const Message& message, wire::Message& out);
// kInvalidArgument says what is wrong with it.
Result<Message> from_wire(wire::Message&& in);

// The chunk of a kSnapshot message that begins at `offset`.
void to_chunk(const Message& message, size_t offset, wire::SnapshotChunk& out);

// Puts the chunks of one stream together again.
class SnapshotAssembler {
 public:
  // The whole message after its last chunk, nothing before. kInvalidArgument, kDataLoss (checksum).
  Result<std::shared_ptr<const Snapshot>> add(wire::SnapshotChunk&& chunk);

 private:
  std::shared_ptr<Snapshot> partial_;
};

}  // namespace shoal::raft
