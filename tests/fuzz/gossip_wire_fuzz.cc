// Any bytes as a gossip packet: from a stranger, from who holds the key, and plain.
#include "base/types/check.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

// The plain form: what is read is written and read as the same.
void as_plain(ByteView bytes) {
  const Result<Packet> packet = decode_packet(bytes);
  if (!packet) return;
  Packer packer(packet->head, SIZE_MAX / 2);
  for (const Message& message : packet->messages) packer.add(encode_message(message));
  const std::vector<Bytes> written = packer.take(true);
  SHOAL_CHECK(written.size() == 1, "one packet is one packet");
  const Result<Packet> again = decode_packet(written.front());
  SHOAL_CHECK(again && again->head == packet->head, "the head is read as it was written");
  SHOAL_CHECK(again->messages.size() == packet->messages.size(), "so are the messages");
  for (size_t i = 0; i < packet->messages.size(); ++i) {
    SHOAL_CHECK(encode_message(again->messages[i]) == encode_message(packet->messages[i]),
                "each of them");
  }
}

class Doors {
 public:
  // Nobody but a holder of the key writes what opens, whatever header it has.
  void from_stranger(ByteView bytes) {
    for (const PacketKind kind :
         {PacketKind::kDatagram, PacketKind::kQuestion, PacketKind::kAnswer}) {
      Bytes copy(bytes.begin(), bytes.end());
      SHOAL_CHECK(here_.open(kind, copy).drop != DropReason::kNone, "bytes do not open");
      (void)here_.check_header(kind, bytes);
      Bytes right = there_.seal(kind, {kHere, 5}, encode_head(kHead), {1, 1});
      right.resize(kSealHeaderSize);
      right.insert(right.end(), bytes.begin(), bytes.end());
      SHOAL_CHECK(here_.open(kind, right).drop != DropReason::kNone, "nor behind a good header");
    }
  }
  // A sealed packet opens once, as what it was, whatever follows its head.
  void from_member(ByteView bytes) {
    Bytes plain = encode_head(kHead);
    plain.insert(plain.end(), bytes.begin(), bytes.end());
    for (const PacketKind kind : {PacketKind::kQuestion, PacketKind::kDatagram}) {
      if (kind == PacketKind::kDatagram && plain.size() > kMaxDatagram - kSealOverhead) continue;
      const Bytes sealed = there_.seal(kind, {kHere, 5}, plain);
      SHOAL_CHECK(sealed.size() <= plain.size() + kSealOverhead, "a seal is short");
      Bytes copy = sealed;
      const Guard::Opened opened = here_.open(kind, copy);
      SHOAL_CHECK(opened.drop == DropReason::kNone, "ours opens");
      SHOAL_CHECK(std::equal(opened.plain.begin(), opened.plain.end(), plain.begin(), plain.end()),
                  "and is what it was");
      copy = sealed;
      SHOAL_CHECK(here_.open(kind, copy).drop == DropReason::kReplayed, "once");
    }
  }
  // A holder of the key seals what it likes: flags, versions, claims of size.
  void from_liar(ByteView bytes) {
    Bytes sealed(kSealHeaderSize + bytes.size() + crypto::kTagSize);
    liar_.seal_text(sealed, PacketKind::kDatagram, {kHere, 5}, bytes, {});
    if (sealed.size() > kMaxDatagram) return;
    const Guard::Opened opened = here_.open(PacketKind::kDatagram, sealed);
    if (opened.drop != DropReason::kNone) return;
    SHOAL_CHECK(opened.plain.size() <= kMaxDatagram, "nothing expands to more than it may");
    ByteReader in(opened.plain);
    Head head;
    SHOAL_CHECK(read_head(in, head) && head == opened.head, "what opens has a head");
    as_plain(opened.plain);
  }

 private:
  static KeyRing ring() {
    KeyRing ring;
    ring.keys.push_back({1, {}});
    ring.keys[0].key[0] = 7;
    return ring;
  }

  const ClusterId kCluster = named<ClusterId>("c");
  const NodeId kHere = named<NodeId>("here");
  const Head kHead{named<NodeId>("there"), first_incarnation(3), {Ip::v4(0xc0000201U), 7946}};
  SeededRng rng_{1};
  Guard here_{kCluster, kHere, 5, ring(), rng_};
  Guard there_{kCluster, kHead.sender, 3, ring(), rng_};
  Guard liar_{kCluster, kHead.sender, 3, ring(), rng_};
};

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::gossip::as_plain({data, size});
  shoal::gossip::Doors().from_member({data, size});
  shoal::gossip::Doors doors;
  doors.from_liar({data, size});
  doors.from_liar({data, size});  // now that its session is known
  doors.from_stranger({data, size});
  return 0;
}
