// Guard: both doors of a node's gossip. What comes through is authentic, of this cluster, for this
// node in this life, and new; anything else is dropped for a reason, and before it is known to be
// authentic nothing is allocated or remembered for it. docs/protocol/gossip.md draws the bytes.
//
// Each start of a node is a session: 8 random bytes, in which it counts what it seals. Session,
// counter and kind are the nonce, so none repeats under a key, and the receiver keeps a window of
// the counters seen. A packet is bound to its receiver (id and epoch: it opens nowhere else and not
// after a restart, when the windows are gone), an answer to its question too. Who does not know the
// receiver's epoch (a seed, a failed member) sends an open packet; what it says is answered to its
// sender, sealed to that one, and changes nothing here.
//
// A head says the same in packet after packet: once the receiver has said to hold it, datagrams
// leave it out. What is long is compressed. Both are undone here: plain packets are whole.
//
// Pure; one owner. Keys are changed at any time: sessions and windows do not depend on them.
#pragma once

#include <array>
#include <span>

#include "base/codec/bytes.h"
#include "base/codec/compress.h"
#include "base/ports/ports.h"
#include "base/types/id.h"
#include "gossip/wire/message.h"
#include "gossip/wire/seal.h"
#include "gossip/wire/sessions.h"

namespace shoal::gossip {

// Names one sealed question.
struct QuestionName {
  uint64_t session = 0;
  uint64_t counter = 0;

  friend bool operator==(const QuestionName&, const QuestionName&) = default;
};

class Guard {
 public:
  struct Opened {
    DropReason drop = DropReason::kNone;
    // Head and messages, when drop is kNone; within the packet or the guard, until the next open().
    ByteView plain;
    Head head;
    bool open = false;      // sealed to whoever listens
    QuestionName question;  // its name, if it is one

    Peer sender() const { return {head.sender, epoch_of(head.incarnation)}; }
  };

  // The ring must be valid. `epoch` is that of this start.
  Guard(const ClusterId& cluster, const NodeId& self, uint64_t epoch, KeyRing ring, Rng& rng);

  void set_keys(KeyRing ring);
  // As others know it by now; it differs from that of the start only when an incarnation of an
  // earlier life had to be refuted.
  void set_epoch(uint64_t epoch) { epochs_[0] = epoch; }

  // Seals a plain packet of this node's into `out`, which has room for kSealOverhead more, and says
  // its size. Only datagrams go to no peer in particular. `question` names what an answer answers.
  size_t seal(std::span<uint8_t> out, PacketKind kind, const Peer& to, ByteView plain,
              const QuestionName& question = {});
  Bytes seal(PacketKind kind, const Peer& to, ByteView plain, const QuestionName& question = {});
  // Seals any text; seal() makes it of a packet. `out` has exactly room for header, text and tag.
  void seal_text(std::span<uint8_t> out, PacketKind kind, const Peer& to, ByteView text,
                 const QuestionName& question);
  // The name of the question sealed last.
  QuestionName asked() const { return {session_, counters_[1]}; }

  // Opens where the packet lies, which is spoilt. kDatagram takes open packets too.
  Opened open(PacketKind kind, std::span<uint8_t> packet, const QuestionName& question = {});
  // Whether what begins with `start` (at least kSealHeaderSize bytes) can open at all.
  DropReason check_header(PacketKind kind, ByteView start) const;

  // Longer bodies are compressed, when it makes them shorter by a tenth (docs/protocol/gossip.md
  // says why). A frame never expands to more than kMaxFrame, a datagram to more than kMaxDatagram.
  static constexpr size_t kMinCompressed = 400;

 private:
  struct Header {
    PacketKind kind = PacketKind::kDatagram;
    uint16_t cluster = 0;
    uint16_t key = 0;
    uint16_t receiver = 0;
    uint64_t session = 0;
    uint64_t counter = 0;
  };
  // What a seal covers beside the text.
  static constexpr size_t kMostBound = kSealHeaderSize + kIdLength + kIdLength + 8 + 16;
  struct Bound {
    std::array<uint8_t, kMostBound> bytes;
    size_t size = 0;

    void add(ByteView more);
    void add(uint64_t number);
  };

  static uint16_t receiver_tag(const Peer& peer);
  static crypto::Nonce nonce_of(const Header& header);
  Bound bound_to(ByteView header, const Peer& receiver, const QuestionName& question) const;
  const KeyRing::Entry* key(uint16_t tag) const;
  bool seen(const Header& header) const;
  // The epoch of this node a packet is for.
  const uint64_t* epoch_for(const Header& header) const;
  DropReason parse(PacketKind kind, ByteView start, Header& header) const;
  DropReason admit(const Header& header, ByteView text, Opened& opened);
  DropReason settle(const Header& header, const Head& head, Session*& session);
  DropReason expand(const Header& header, const Head& head, ByteView whole_head, ByteView body,
                    bool compressed, Opened& opened);

  ClusterId cluster_;
  uint16_t cluster_tag_;
  NodeId self_;
  std::array<uint64_t, 2> epochs_;  // the present one and that of the start
  KeyRing ring_;
  uint64_t session_;
  std::array<uint64_t, 3> counters_{};  // of datagrams, questions and answers
  Bytes head_;                          // our own, as sealed last
  uint8_t version_ = 0;
  Sessions sessions_;
  Compressor compressor_;
  Bytes text_;      // being sealed
  Bytes expanded_;  // being opened
};

}  // namespace shoal::gossip
