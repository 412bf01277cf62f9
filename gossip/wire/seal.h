// Sealed packets: what is on the wire is authentic, of this cluster, and of a known key, or it is
// dropped and counted before anything is decoded.
//
//   0      2       3      4          12                 36
//   | "Sg" | ver 1 | kind | key id   | nonce (24 bytes) | ciphertext ... | tag (16) |
//
// XChaCha20-Poly1305 over the plain packet; the associated data are the 36 bytes of the header
// and the cluster id, so no field can be changed and no packet of another cluster opens, even
// under the same key. Nonces are random. `kind` separates datagrams from stream frames, so that
// one cannot be replayed as the other.
//
// There is no replay window: every message is idempotent (claims by incarnation, entries by epoch
// and sequence, answers by a pending number), so a replayed packet says what was already known.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/codec/bytes.h"
#include "base/crypto/crypto.h"
#include "base/ports/ports.h"
#include "base/types/id.h"

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

  // kInvalidArgument: no key, more than kMaxKeys, primary out of range, or an id twice.
  Status validate() const;
};

enum class PacketKind : uint8_t { kDatagram = 1, kStream = 2 };

// Why something received was dropped.
enum class DropReason : uint8_t {
  kNone,
  kTooShort,     // shorter than header and tag
  kTooLong,      // longer than its kind allows
  kNotOurs,      // magic or kind: not Shoal gossip
  kVersion,      // a version this node does not speak
  kUnknownKey,   // no such key in the ring
  kForged,       // does not open: damaged, forged, or of another cluster
  kMalformed,    // opened, and is not a well-formed packet
  kSelf,         // sent by this node
  kForgotten,    // sent by a node that was removed
  kMembersFull,  // sent by a stranger, while as many members are known as can be
  kMisdirected,  // a ping for somebody else
  kRateLimited,  // more from one address than is worth opening
  kAdmission,    // a connection beyond the limit
  kTimeout,      // a connection that did not finish in time
  kCount
};
std::string_view to_string(DropReason reason);

inline constexpr size_t kSealHeaderSize = 36;
inline constexpr size_t kSealOverhead = kSealHeaderSize + crypto::kTagSize;
// The largest datagram accepted: what a jumbo frame carries.
inline constexpr size_t kMaxDatagram = 9216;
// The largest sealed stream frame accepted.
inline constexpr size_t kMaxFrame = 4U << 20;

class Sealer {
 public:
  // The ring must be valid.
  Sealer(const ClusterId& cluster, KeyRing ring);
  void set_keys(KeyRing ring);

  Bytes seal(PacketKind kind, ByteView plain, Rng& rng) const;
  // The same to where it is sent from: `out` has plain.size() + kSealOverhead bytes.
  void seal_into(std::span<uint8_t> out, PacketKind kind, ByteView plain, Rng& rng) const;

  struct Opened {
    DropReason drop = DropReason::kNone;
    ByteView plain;  // within the packet, when drop is kNone
  };
  // Decrypts where the packet lies, and allocates nothing: a stranger's packet costs no memory. One
  // that does not open stays as it was or is zeroed.
  Opened open(PacketKind kind, std::span<uint8_t> packet) const;
  // Whether a packet that begins with `header` (at least kSealHeaderSize bytes) can open at all.
  DropReason check_header(PacketKind kind, ByteView header) const;

 private:
  const KeyRing::Entry* find(uint64_t id) const;
  using Associated = std::array<uint8_t, kSealHeaderSize + kIdLength>;
  Associated associated_data(ByteView header) const;

  ClusterId cluster_;
  KeyRing ring_;
};

}  // namespace shoal::gossip
