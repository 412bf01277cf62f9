// The nouns of Raft (Ongaro, "Consensus: Bridging Theory and Practice"): ids, terms, entries,
// members, snapshots and the messages between members. Plain values; no behaviour.
//
// Wire form: proto/raft.proto. Disk form: raft/storage/format.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raft/snapshot_data.h"

namespace shoal::raft {

using RaftId = uint64_t;  // 0: none
using Index = uint64_t;   // 1 is the first entry; 0: before it
using Term = uint64_t;    // 0: before the first election

// One proposal. A bigger one would delay heartbeats on a slow link and fill the bounded queues.
inline constexpr size_t kMaxEntryBytes = 3U << 19;  // 1.5 MiB
// A whole serialised state: several million objects. Beyond it a snapshot is refused by sender and
// receiver, so that a hostile one cannot fill a disk.
inline constexpr uint64_t kMaxSnapshotBytes = uint64_t{2} << 30;
// Members of one group. Raft groups above nine are slow; the bound stops hostile configurations.
inline constexpr size_t kMaxMembers = 64;
inline constexpr size_t kMaxAddressBytes = 256;

// A member's part in a joint configuration (raft/core/configuration.h); 0 outside of one.
inline constexpr uint8_t kOutgoing = 1;      // votes in the outgoing half
inline constexpr uint8_t kNotIncoming = 2;   // does not vote in the incoming half
inline constexpr uint8_t kDemoted = 4;       // a learner when the joint configuration is left
inline constexpr uint8_t kLeavesItself = 8;  // of the whole: the leader leaves it by itself
inline constexpr uint8_t kJointBits = 15;

struct Member {
  RaftId id = 0;
  std::string address;   // host:port
  bool learner = false;  // receives the log, does not vote
  uint8_t joint = 0;

  friend bool operator==(const Member&, const Member&) = default;
};

enum class EntryType : uint8_t {
  kCommand = 0,     // for the state machine
  kConfChange = 1,  // an encoded ConfChange (raft/core/configuration.h)
  kNoop = 2,        // what a new leader appends to commit what came before
};

struct Entry {
  Term term = 0;
  Index index = 0;
  EntryType type = EntryType::kCommand;
  std::string data;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// What an entry counts against every byte bound: its data and a fixed overhead.
inline size_t entry_bytes(const Entry& entry) { return entry.data.size() + 32; }

// Must be durable before any message that follows from it is sent. `commit` may lag.
struct HardState {
  Term term = 0;
  RaftId vote = 0;
  Index commit = 0;

  friend bool operator==(const HardState&, const HardState&) = default;
};

// The state at `index`, and who the members were then.
struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  std::vector<Member> members;

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

struct Snapshot {
  SnapshotMeta meta;
  std::shared_ptr<const SnapshotData> data;  // none: the state machine holds it, durably
};

enum class MessageType : uint8_t {
  kVote = 1,
  kVoteResp = 2,
  kPreVote = 3,
  kPreVoteResp = 4,
  kAppend = 5,
  kAppendResp = 6,
  kHeartbeat = 7,
  kHeartbeatResp = 8,
  kSnapshot = 9,
  kTimeoutNow = 10,
  kReadIndex = 11,
  kReadIndexResp = 12,
};
inline constexpr uint8_t kLastMessageType = 12;

std::string_view to_string(MessageType type);

// Fields by type; the others are zero.
//   kVote, kPreVote: index and log_term of the last entry; force when leadership was handed over
//   kAppend: index and log_term of the entry before `entries`; commit
//   kAppendResp: index = last matching entry; or reject, index = the refused one, and reject_hint,
//     log_term = the follower's best guess of where the logs agree
//   kHeartbeat: commit (never above what the receiver is known to have), context = read round
//   kHeartbeatResp: context echoed
//   kSnapshot: snapshot
//   kReadIndex, kReadIndexResp: context = the asker's; index in the answer
struct Message {
  MessageType type = MessageType::kHeartbeat;
  RaftId from = 0;
  RaftId to = 0;
  Term term = 0;
  Index index = 0;
  Term log_term = 0;
  Index commit = 0;
  bool reject = false;
  bool force = false;
  Index reject_hint = 0;
  uint64_t context = 0;
  std::vector<Entry> entries;
  std::shared_ptr<const Snapshot> snapshot;
};

}  // namespace shoal::raft
