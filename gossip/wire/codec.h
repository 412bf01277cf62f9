// Packets to bytes and back. Nothing is trusted: a decoder's memory is bounded by the bytes it was
// given, never by a count they claim.
//
//   packet  = head message*
//   head    = sender (17) | epoch (varint) | refuted (varint) | address
//   message = type (1) | length (varint) | body
//   address = family (4 or 6) | ip (4 or 16) | port (2)
//   id      = characters 0-11 (8) | 12-23 (8) | 24 (1), numbers of base 36
//
// A message of an unknown type is skipped, so that newer nodes may say more. A known one that is
// malformed spoils its packet.
#pragma once

#include <span>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "gossip/wire/message.h"

namespace shoal::gossip {

struct Packet {
  Head head;
  std::vector<Message> messages;
};

// Of an id on the wire.
inline constexpr size_t kWireId = 17;
void write_id_text(ByteWriter& out, std::string_view id);
// False, and fails the reader: malformed.
bool read_id_text(ByteReader& in, std::array<char, kIdLength>& id);
// At most kMaxNumber; fails the reader beyond it.
uint64_t read_number(ByteReader& in);
// A count of items of at least `item_size` bytes each: fails the reader when more are claimed than
// there are bytes for.
size_t read_count(ByteReader& in, size_t item_size);

Bytes encode_head(const Head& head);
// The head at the beginning of a plain packet; allocates nothing. False: malformed.
bool read_head(ByteReader& in, Head& head);
// Type, length and body.
Bytes encode_message(const Message& message);

// What names an event: network, owner, epoch and sequence, hashed as they are on the wire.
uint32_t tag_of(const EntryEvent& event);

// Who knows what has come of late: most events come several times, and only the first is read.
class Seen {
 public:
  virtual bool is_copy(uint32_t tag) = 0;

 protected:
  ~Seen() = default;
};

// `size` bytes (at least 3) that every receiver skips and nobody can compress: makes a packet as
// large as a path is to carry.
Bytes encode_padding(size_t size, Rng& rng);

// kDataLoss says what is wrong. Events that `seen` knows are left out, unread beyond their names.
Result<Packet> decode_packet(ByteView plain, Seen* seen = nullptr);

// Fills packets of at most `budget` bytes with encoded messages, in order. A message that does not
// fit an empty packet gets one of its own.
class Packer {
 public:
  Packer(const Head& head, size_t budget);

  void add(ByteView message);
  // Bytes left in the packet being filled.
  size_t room() const;
  // Every packet; the packer is empty again. A packet without messages is made only when
  // `even_empty`.
  std::vector<Bytes> take(bool even_empty = false);

 private:
  Bytes head_;
  size_t budget_;
  Bytes current_;
  std::vector<Bytes> full_;
};

}  // namespace shoal::gossip
