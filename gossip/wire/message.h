// The messages of gossip, decoded. docs/protocol/gossip.md draws their bytes.
//
// A packet is a head (who sends it) and messages one after the other. Every message is idempotent
// and carries what orders it: a claim its incarnation, an entry its epoch and sequence, an answer
// the number of its question.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "gossip/merkle/reconcile.h"

namespace shoal::gossip {

// Bounds of the wire; a decoder refuses what is beyond.
inline constexpr size_t kMaxKeySize = 64;
inline constexpr size_t kMaxValueSize = 1024;
// Incarnations, epochs and sequences have 63 bits, so that adding one never wraps.
inline constexpr uint64_t kMaxNumber = INT64_MAX;
// Members known: 10,000 and what restarts and removals leave behind.
inline constexpr size_t kMaxMembers = 16384;
// Accusers a claim names: those that are needed, and some that may be gone when it is judged.
inline constexpr size_t kMaxAccusers = 5;
// Buckets of the membership digest, by a hash of the id: one difference among 10,000 members costs
// the claims of about forty.
inline constexpr size_t kMemberBuckets = 256;
// Tags of events in one message: a packet's worth.
inline constexpr size_t kMaxTags = 256;

// An incarnation is the epoch of its node's start, and how often the node refuted something since:
// whoever knows a member knows in which life it is.
inline constexpr unsigned kRefutedBits = 20;
constexpr uint64_t first_incarnation(uint64_t epoch) { return epoch << kRefutedBits; }
constexpr uint64_t epoch_of(uint64_t incarnation) { return incarnation >> kRefutedBits; }

// To whom a packet is sealed: a node in one of its lives. No id: to whoever listens there (open).
struct Peer {
  NodeId id;
  uint64_t epoch = 0;

  friend auto operator<=>(const Peer&, const Peer&) = default;
};

// Says of the sender what an alive claim says: each packet is news of its sender.
struct Head {
  NodeId sender;
  uint64_t incarnation = 0;
  HostPort address;

  friend bool operator==(const Head&, const Head&) = default;
};

// "Are you there?" An empty target asks whoever listens (a seed, known by address only).
struct Ping {
  uint32_t number = 0;
  NodeId target;
};
// "Ping that one for me."
struct PingRequest {
  uint32_t number = 0;
  NodeId target;
  HostPort address;
};
struct Ack {
  uint32_t number = 0;
};
// What became of asking a member directly, by datagram and by connecting to its stream port.
enum class Reach : uint8_t {
  kAnswers = 0,  // said by an ack, never by a testimony
  kStalled = 1,  // its kernel took the connection, nobody answered: no CPU, but not dead
  kRefused = 2,  // its host says that nobody listens, or who listens does not answer for it
  kSilent = 3,   // nothing came back
  kUnknown = 4,  // who was asked is in no state to judge, but is there
};
// What a helper found out about the target of a ping request that it got no answer from.
struct Testimony {
  uint32_t number = 0;
  Reach reach = Reach::kUnknown;
};

// Stalled: its kernel takes connections, its daemon says nothing.
enum class ClaimKind : uint8_t { kAlive = 1, kSuspect = 2, kFailed = 3, kLeft = 4, kStalled = 5 };

// What somebody holds of a member.
struct Claim {
  ClaimKind kind = ClaimKind::kAlive;
  NodeId id;
  uint64_t incarnation = 0;
  HostPort address;
  std::vector<NodeId> accusers;  // who found it dead; for kSuspect and kFailed

  friend bool operator==(const Claim&, const Claim&) = default;
};

// One entry of a table: put or deleted by its owner as the owner's event number `sequence`.
struct EntryEvent {
  NetworkId network;
  NodeId owner;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  bool deleted = false;
  std::string key;
  Bytes value;

  friend bool operator==(const EntryEvent&, const EntryEvent&) = default;
};

// "I have these events of late." In place of a copy of each to everybody: who lacks one pulls it.
// A tag is a hash of what names an event (tag_of); 32 bits, so that a few thousand recent ones are
// told apart, and what two events with one tag would cost is left to the digests.
struct Have {
  NetworkId network;
  std::vector<uint32_t> tags;  // 1 to kMaxTags

  friend bool operator==(const Have&, const Have&) = default;
};
// "Send me these."
struct Pull {
  std::vector<uint32_t> tags;  // 1 to kMaxTags

  friend bool operator==(const Pull&, const Pull&) = default;
};

// "This is what I have, in 8 bytes per network; ask if you have something else."
struct NetworkDigest {
  NetworkId network;
  uint64_t hash = 0;
};
struct Digest {
  uint64_t members = 0;
  std::vector<NetworkDigest> networks;
};

// "This is what I have of all the networks that we are both in": one fingerprint for the members,
// and one for the networks, or one for each of kSharedParts parts of them, by a hash of the id.
struct SharedDigest {
  uint64_t members = 0;
  std::vector<uint64_t> parts;  // 1 or kSharedParts
};
inline constexpr size_t kSharedParts = 32;

// Exchange, asking: the digests of the asker's members, per bucket.
struct MemberDigests {
  std::array<uint64_t, kMemberBuckets> buckets{};
};
// Exchange, answering: which buckets differ; their members follow as claims, and the asker sends
// its own of these buckets back.
struct MemberDifference {
  std::array<uint8_t, kMemberBuckets / 8> buckets{};
};

// One step of reconciling networks (gossip/merkle/reconcile.h), of some networks at once. In a
// datagram or an exchange.
enum class SyncKind : uint8_t {
  kQuestion = 0,
  kAnswer = 1,    // to the question of that number; networks that found no room are left out
  kLast = 2,      // a question that needs no answer
  kTooLarge = 3,  // the answer would not fit a datagram
};
struct Sync {
  struct Part {
    NetworkId network;
    bool joined = true;  // false in an answer: the answerer is not in it
    merkle::Message ranges;
  };
  SyncKind kind = SyncKind::kQuestion;
  uint32_t number = 0;
  std::vector<Part> parts;
};

using Message = std::variant<Ping, PingRequest, Ack, Testimony, Claim, EntryEvent, Digest,
                             MemberDigests, MemberDifference, Sync, SharedDigest, Have, Pull>;

}  // namespace shoal::gossip
