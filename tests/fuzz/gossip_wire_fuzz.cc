// Any bytes as a gossip packet, sealed and plain.
#include "base/types/check.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/seal.h"

namespace shoal::gossip {
namespace {

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

// Nobody but a holder of the key writes what opens; and a sealed packet opens as what it was,
// whatever it is.
void as_sealed(ByteView bytes) {
  KeyRing ring;
  ring.keys.push_back({1, {}});
  ring.keys[0].key[0] = 7;
  const Sealer sealer(ClusterId(std::string(kIdLength, 'c')), ring);
  for (const PacketKind kind : {PacketKind::kDatagram, PacketKind::kStream}) {
    Bytes copy(bytes.begin(), bytes.end());
    SHOAL_CHECK(sealer.open(kind, copy).drop != DropReason::kNone, "bytes do not open");
    if (bytes.size() >= kSealHeaderSize) (void)sealer.check_header(kind, bytes);
  }
  SeededRng rng(bytes.size());
  Bytes sealed = sealer.seal(PacketKind::kStream, bytes, rng);
  const Sealer::Opened opened = sealer.open(PacketKind::kStream, sealed);
  SHOAL_CHECK(opened.drop == DropReason::kNone, "ours opens");
  SHOAL_CHECK(std::equal(opened.plain.begin(), opened.plain.end(), bytes.begin(), bytes.end()),
              "and is what it was");
}

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shoal::gossip::as_plain({data, size});
  shoal::gossip::as_sealed({data, size});
  return 0;
}
