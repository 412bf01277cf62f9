#include "manager/backup/backup.h"

#include "base/codec/bytes.h"
#include "base/crypto/sealer.h"

namespace shoal::manager {
namespace {

constexpr std::string_view kMagic = "SHOALBAK";
constexpr uint32_t kVersion = 1;
constexpr size_t kFixed = 8 + 4 + 4 + 8;
constexpr size_t kDigest = 32;
constexpr std::string_view kKeyLabel = "backup";
constexpr size_t kMaxHostname = 253;
constexpr size_t kMaxHeader = 4096;  // room for what later versions add

Error cut_short(size_t have, uint64_t want) {
  return data_loss("the backup is cut short: it has " + std::to_string(have) + " of " +
                   std::to_string(want) + " bytes; copy it again, or use another backup");
}

crypto::Sealer sealer(const std::string& unlock_key, const std::array<uint8_t, 16>& run) {
  return {crypto::derive_key(as_bytes(unlock_key), kKeyLabel), run};
}

}  // namespace

std::string encode_backup(BackupHeader header, std::string_view state,
                          const std::optional<BackupLock>& lock) {
  header.locked = lock.has_value();
  ByteWriter inner;
  inner.text(header.cluster.str());
  inner.u64(static_cast<uint64_t>(header.taken_at.nanoseconds));
  inner.text(header.taken_on.substr(0, kMaxHostname));
  inner.u64(header.index);
  inner.u64(header.term);
  inner.u32(header.networks);
  inner.u32(header.endpoints);
  inner.u32(header.nodes);
  inner.u8(header.locked ? 1 : 0);
  ByteWriter fixed;
  fixed.u32(kVersion);
  fixed.u32(static_cast<uint32_t>(inner.view().size()));
  fixed.u64(state.size() + (lock ? crypto::kSealOverhead : 0));
  std::string out(kMagic);
  out.reserve(kFixed + inner.view().size() + state.size() + kDigest);
  out += as_text(fixed.view());
  out += as_text(inner.view());
  out += lock ? sealer(lock->unlock_key, lock->run).seal(out, state) : state;
  const crypto::Sha256 digest = crypto::sha256(as_bytes(out));
  out += as_text(digest);
  return out;
}

Result<Backup> decode_backup(std::string_view file, const std::string& unlock_key) {
  if (file.size() < kMagic.size() || !file.starts_with(kMagic)) {
    return invalid_argument("this is not a backup of Shoal: `shoal backup FILE` makes one");
  }
  if (file.size() < kFixed) return cut_short(file.size(), kFixed);
  ByteReader fixed(as_bytes(file.substr(kMagic.size(), kFixed - kMagic.size())));
  const uint32_t version = fixed.u32();
  const uint32_t header_size = fixed.u32();
  const uint64_t state_size = fixed.u64();
  if (version > kVersion && version < 0x10000) {
    return unimplemented("the backup has format " + std::to_string(version) +
                         " and this shoald reads format " + std::to_string(kVersion) +
                         ": use the shoald that wrote it, or a newer one");
  }
  const Error damaged = data_loss(
      "the backup is damaged: its checksum does not match; copy it again, or use another backup");
  if (version != kVersion || header_size > kMaxHeader || state_size > kMaxBackupBytes) {
    return damaged;
  }
  const uint64_t size = kFixed + header_size + state_size + kDigest;
  if (file.size() < size) return cut_short(file.size(), size);
  const size_t end = file.size() - kDigest;
  const crypto::Sha256 digest = crypto::sha256(as_bytes(file.substr(0, end)));
  if (file.size() != size || as_text(digest) != file.substr(end)) return damaged;
  ByteReader in(as_bytes(file.substr(kFixed, header_size)));
  Backup out;
  const std::string cluster = in.text(kIdLength);
  if (!is_id(cluster)) in.fail();
  out.header.cluster = ClusterId(cluster);
  out.header.taken_at = {static_cast<int64_t>(in.u64())};
  out.header.taken_on = in.text(kMaxHostname);
  out.header.index = in.u64();
  out.header.term = in.u64();
  out.header.networks = in.u32();
  out.header.endpoints = in.u32();
  out.header.nodes = in.u32();
  const uint8_t locked = in.u8();
  if (locked > 1) in.fail();
  out.header.locked = locked == 1;
  if (!in.ok()) return data_loss("the backup has a good checksum and an impossible header");
  const std::string_view state = file.substr(kFixed + header_size, state_size);
  if (!out.header.locked) {
    out.state = std::string(state);
    return out;
  }
  if (unlock_key.empty()) {
    return unauthenticated(
        "this backup is locked: it was taken while autolock was on, and needs the unlock key of "
        "that time (SWMKEY-1-...)");
  }
  auto opened = sealer(unlock_key, {}).open(file.substr(0, kFixed + header_size), state);
  if (!opened) {  // it is not damaged: its checksum says so
    return invalid_argument(
        "this is not the unlock key that the backup was locked with: it needs the one that was in "
        "effect when it was taken");
  }
  out.state = std::move(*opened);
  return out;
}

}  // namespace shoal::manager
