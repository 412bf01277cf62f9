// What seals packets, and why they are dropped: keys, kinds, reasons, sizes. The Guard (guard.h)
// uses them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/crypto/crypto.h"
#include "base/types/result.h"

namespace shoal::gossip {

// A primary that seals and up to two more that open: the next key and the last one, so that a
// rotation never has a moment in which two nodes do not understand each other.
struct KeyRing {
  struct Entry {
    uint64_t id = 0;
    crypto::Key key{};
  };
  static constexpr size_t kMaxKeys = 3;

  std::vector<Entry> keys;
  size_t primary = 0;  // index into keys

  // kInvalidArgument: no key, more than kMaxKeys, primary out of range, or an id twice; packets
  // carry the low 16 bits of an id.
  Status validate() const;
};

enum class PacketKind : uint8_t {
  kDatagram = 1,  // to one node in one of its lives
  kQuestion = 2,  // a stream frame, the same
  kAnswer = 3,    // a stream frame, to one question
  kOpen = 4,      // a datagram to whoever listens: what it says is answered, and believed by nobody
};

// Why something received was dropped.
enum class DropReason : uint8_t {
  kNone,
  kTooShort,        // shorter than header and tag
  kTooLong,         // longer than its kind allows, or a frame that claims to be
  kNotOurs,         // magic or kind: not Shoal gossip
  kVersion,         // a version this node does not speak
  kWrongCluster,    // of another cluster
  kUnknownKey,      // no such key in the ring
  kOtherReceiver,   // for another node, or for this one before its last start
  kReplayed,        // seen before, or too old to tell
  kForged,          // does not open: damaged or forged
  kUnknownSession,  // authentic, but it leaves out who sent it, which is not known here any more
  kOldEpoch,        // authentic, from before the sender's last start
  kOversize,        // authentic, and claims to expand to more than its kind allows
  kMalformed,       // authentic, and not a well-formed packet
  kSelf,            // sent by this node
  kForgotten,       // sent by a node that was removed
  kMembersFull,     // sent by a stranger, while as many members are known as can be
  kMisdirected,     // a ping for somebody else
  kRateLimited,     // more from one address than is worth opening
  kAdmission,       // a connection beyond the limit
  kTimeout,         // a connection that did not finish in time
  kCount
};
std::string_view to_string(DropReason reason);

inline constexpr size_t kSealHeaderSize = 24;
// Header, what is said before the head, and tag: at most so much is added to a plain packet.
inline constexpr size_t kSealOverhead = kSealHeaderSize + 3 + crypto::kTagSize;
// The largest datagram accepted: what a jumbo frame carries.
inline constexpr size_t kMaxDatagram = 9216;
// The largest sealed stream frame accepted.
inline constexpr size_t kMaxFrame = 4U << 20;

}  // namespace shoal::gossip
