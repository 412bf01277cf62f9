#include "gossip/wire/seal.h"

#include <algorithm>

#include "base/types/check.h"

namespace shoal::gossip {
namespace {

constexpr std::array<uint8_t, 2> kMagic = {'S', 'g'};
constexpr uint8_t kVersion = 1;
constexpr size_t kKeyIdOffset = 4;
constexpr size_t kNonceOffset = 12;

}  // namespace

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "none";
    case DropReason::kTooShort:
      return "too_short";
    case DropReason::kTooLong:
      return "too_long";
    case DropReason::kNotOurs:
      return "not_ours";
    case DropReason::kVersion:
      return "version";
    case DropReason::kUnknownKey:
      return "unknown_key";
    case DropReason::kForged:
      return "forged";
    case DropReason::kMalformed:
      return "malformed";
    case DropReason::kSelf:
      return "self";
    case DropReason::kForgotten:
      return "forgotten";
    case DropReason::kMembersFull:
      return "members_full";
    case DropReason::kMisdirected:
      return "misdirected";
    case DropReason::kRateLimited:
      return "rate_limited";
    case DropReason::kAdmission:
      return "admission";
    case DropReason::kTimeout:
      return "timeout";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

Status KeyRing::validate() const {
  if (keys.empty() || keys.size() > kMaxKeys) {
    return invalid_argument("a gossip key ring has 1 to " + std::to_string(kMaxKeys) +
                            " keys, not " + std::to_string(keys.size()));
  }
  if (primary >= keys.size()) {
    return invalid_argument("the primary of a gossip key ring must be one of its keys");
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (keys[i].id == keys[j].id) {
        return invalid_argument("two keys of a gossip key ring have the id " +
                                std::to_string(keys[i].id));
      }
    }
  }
  return ok_status();
}

Sealer::Sealer(const ClusterId& cluster, KeyRing ring) : cluster_(cluster) {
  SHOAL_CHECK(cluster.str().size() == kIdLength, "a sealer needs a cluster id");
  set_keys(std::move(ring));
}

void Sealer::set_keys(KeyRing ring) {
  SHOAL_CHECK(ring.validate().ok(), "a sealer needs a valid key ring");
  ring_ = std::move(ring);
}

const KeyRing::Entry* Sealer::find(uint64_t id) const {
  const auto it = std::find_if(ring_.keys.begin(), ring_.keys.end(),
                               [id](const KeyRing::Entry& entry) { return entry.id == id; });
  return it == ring_.keys.end() ? nullptr : &*it;
}

Sealer::Associated Sealer::associated_data(ByteView header) const {
  Associated out;
  const ByteView start = header.first(kSealHeaderSize);
  const std::string_view cluster = cluster_.view();
  std::copy(cluster.begin(), cluster.end(), std::copy(start.begin(), start.end(), out.begin()));
  return out;
}

Bytes Sealer::seal(PacketKind kind, ByteView plain, Rng& rng) const {
  Bytes out(plain.size() + kSealOverhead);
  seal_into(out, kind, plain, rng);
  return out;
}

void Sealer::seal_into(std::span<uint8_t> out, PacketKind kind, ByteView plain, Rng& rng) const {
  const KeyRing::Entry& key = ring_.keys[ring_.primary];
  crypto::Nonce nonce;
  rng.fill(nonce);
  auto at = std::copy(kMagic.begin(), kMagic.end(), out.begin());
  *at++ = kVersion;
  *at++ = static_cast<uint8_t>(kind);
  for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<uint8_t>(key.id >> shift);
  std::copy(nonce.begin(), nonce.end(), at);
  crypto::seal_into(out.subspan(kSealHeaderSize), key.key, nonce, associated_data(out), plain);
}

DropReason Sealer::check_header(PacketKind kind, ByteView header) const {
  if (header.size() < kSealHeaderSize) return DropReason::kTooShort;
  ByteReader in(header);
  const ByteView magic = in.raw(kMagic.size());
  const uint8_t version = in.u8();
  const uint8_t its_kind = in.u8();
  if (!std::equal(magic.begin(), magic.end(), kMagic.begin())) return DropReason::kNotOurs;
  if (version != kVersion) return DropReason::kVersion;
  if (its_kind != static_cast<uint8_t>(kind)) return DropReason::kNotOurs;
  return find(in.u64()) == nullptr ? DropReason::kUnknownKey : DropReason::kNone;
}

Sealer::Opened Sealer::open(PacketKind kind, std::span<uint8_t> packet) const {
  if (packet.size() < kSealOverhead) return {DropReason::kTooShort, {}};
  if (packet.size() > (kind == PacketKind::kDatagram ? kMaxDatagram : kMaxFrame)) {
    return {DropReason::kTooLong, {}};
  }
  if (const DropReason drop = check_header(kind, packet); drop != DropReason::kNone) {
    return {drop, {}};
  }
  ByteReader in(ByteView(packet).subspan(kKeyIdOffset));
  const KeyRing::Entry* key = find(in.u64());
  crypto::Nonce nonce;
  const ByteView nonce_bytes = packet.subspan(kNonceOffset, nonce.size());
  std::copy(nonce_bytes.begin(), nonce_bytes.end(), nonce.begin());
  const std::span<uint8_t> plain = packet.subspan(kSealHeaderSize, packet.size() - kSealOverhead);
  if (!crypto::open_into(plain, key->key, nonce, associated_data(packet),
                         packet.subspan(kSealHeaderSize))) {
    return {DropReason::kForged, {}};
  }
  return {DropReason::kNone, plain};
}

}  // namespace shoal::gossip
