#include "manager/security/data_key.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/codec/crc32c.h"
#include "base/crypto/sealer.h"
#include "base/runtime/files.h"
#include "base/runtime/system_ports.h"

namespace shoal::manager {
namespace {

constexpr std::string_view kPrefix = "SWMKEY-1-";
constexpr size_t kTextLength = 43;
constexpr std::string_view kMagic = "SHKY";
constexpr uint8_t kVersion = 1;
constexpr uint8_t kOpenKind = 1;
constexpr uint8_t kSealedKind = 2;
constexpr size_t kHeaderBytes = 14;
constexpr size_t kMaxFile = 4096;
constexpr std::string_view kPlace = "data key";

struct File {
  uint8_t kind = 0;
  uint64_t since = 0;
  std::string body;
};

crypto::SecretKey to_key(std::string_view bytes) {
  crypto::SecretKey key;
  std::copy_n(bytes.begin(), std::min(bytes.size(), key.size()), key.begin());
  return key;
}

crypto::Sealer sealer(const std::string& unlock_key) {
  std::array<uint8_t, 16> run{};
  SystemRng().fill(run);
  return {to_key(unlock_key), run};
}

std::string place(uint64_t since) {
  ByteWriter out;
  out.raw(as_bytes(kPlace));
  out.u64(since);
  return std::string(as_text(out.view()));
}

Error damaged(const std::string& path) {
  return data_loss(path + " (the key of this manager's state) is damaged: restore it from a " +
                   "backup, or remove this manager from the cluster, empty its state directory " +
                   "and join it again");
}

Result<File> read(const std::string& path) {
  const std::string content = SHOAL_TRY(read_file(path, kMaxFile));
  if (content.size() < kHeaderBytes + sizeof(uint32_t)) return damaged(path);
  ByteReader in(as_bytes(content));
  const std::string magic(as_text(in.raw(kMagic.size())));
  const uint8_t version = in.u8();
  File out;
  out.kind = in.u8();
  out.since = in.u64();
  out.body = as_text(in.raw(in.remaining() - sizeof(uint32_t)));
  const uint32_t crc = in.u32();
  const ByteView checked = as_bytes(content).first(content.size() - sizeof crc);
  if (magic != kMagic || crc != crc32c(checked)) return damaged(path);
  if (version > kVersion) {
    return unimplemented(path + " was written by a newer shoald: upgrade this one");
  }
  const size_t size =
      out.kind == kOpenKind ? sizeof(crypto::Key) : sizeof(crypto::Key) + crypto::kSealOverhead;
  if (out.kind < kOpenKind || out.kind > kSealedKind || out.body.size() != size) {
    return damaged(path);
  }
  return out;
}

}  // namespace

std::string format_unlock_key(std::string_view key) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
  std::array<char, kTextLength + 1> text{};
  const crypto::SecretKey bytes = to_key(key);
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), kVariant);
  return std::string(kPrefix) + text.data();
}

Result<std::string> parse_unlock_key(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    return invalid_argument("an unlock key begins with " + std::string(kPrefix) +
                            ": `shoal unlock-key` on a manager that is not locked shows it");
  }
  text.remove_prefix(kPrefix.size());
  std::string key(kUnlockKeySize, '\0');
  size_t size = 0;
  const char* end = nullptr;
  const int code = sodium_base642bin(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                                     text.data(), text.size(), nullptr, &size, &end,
                                     sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  if (code != 0 || size != key.size() || end != text.data() + text.size()) {
    return invalid_argument("an unlock key has " + std::to_string(kTextLength) +
                            " characters after " + std::string(kPrefix) +
                            ": this one is cut short, too long or mistyped");
  }
  return key;
}

Error locked_error() {
  return conflict(
      "this manager is locked: its state is encrypted and needs the cluster's unlock key. Use "
      "`shoal unlock` here; `shoal unlock-key` on a manager that is not locked shows the key");
}

Result<DataKey::Lock> DataKey::lock_of(const std::string& path) {
  const auto file = read(path);
  if (file) return file->kind == kOpenKind ? Lock::kOpen : Lock::kLocked;
  if (file.error().code == ErrorClass::kNotFound) return Lock::kAbsent;
  return file.error();
}

Result<DataKey> DataKey::make(const std::string& path) {
  crypto::SecretKey key;
  SystemRng().fill(key);
  DataKey out(path, key, 0);
  SHOAL_TRY(out.write("", 0));
  return out;
}

Result<DataKey> DataKey::load(const std::string& path, const std::string& unlock_key) {
  const File file = SHOAL_TRY(read(path));
  if (file.kind == kOpenKind) return DataKey(path, to_key(file.body), file.since);
  if (unlock_key.empty()) return locked_error();
  auto body = sealer(unlock_key).open(place(file.since), file.body);
  if (!body) {
    return invalid_argument(
        "this is not the unlock key that locked this manager. If the key was changed while the "
        "manager was down, it is still locked with the former one");
  }
  DataKey out(path, to_key(*body), file.since);
  crypto::wipe({reinterpret_cast<uint8_t*>(body->data()), body->size()});
  out.unlock_key_ = unlock_key;
  return out;
}

Status DataKey::follow(const std::string& unlock_key, uint64_t version) {
  if (unlock_key == unlock_key_ || version <= since_) return ok_status();
  return write(unlock_key, version);
}

Status DataKey::write(const std::string& unlock_key, uint64_t since) {
  ByteWriter out;
  out.raw(as_bytes(kMagic));
  out.u8(kVersion);
  out.u8(unlock_key.empty() ? kOpenKind : kSealedKind);
  out.u64(since);
  if (unlock_key.empty()) {
    out.raw(key_);
  } else {
    out.raw(as_bytes(sealer(unlock_key).seal(place(since), as_text(key_))));
  }
  out.u32(crc32c(out.view()));
  SHOAL_TRY(write_file_atomic(path_, as_text(out.view()), 0600));
  unlock_key_ = unlock_key;
  since_ = since;
  return ok_status();
}

}  // namespace shoal::manager
