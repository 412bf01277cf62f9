// Sealer: seals the records of one store at rest, each bound to its place.
//
// A sealed record is nonce (24) | ciphertext | tag (16), XChaCha20-Poly1305. The nonce is 16 bytes
// drawn when the sealer is made and a counter, so no nonce repeats under one key and sealing costs
// no system call. `place` is what the record is about (its key, its index, what comes before it):
// moved to another place, a record does not open. Pure; one owner, open() from any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/crypto/crypto.h"

namespace shoal::crypto {

inline constexpr size_t kSealOverhead = 24 + kTagSize;
using Tag = std::array<uint8_t, kTagSize>;

class Sealer {
 public:
  // `run`: random, drawn anew for every sealer.
  Sealer(const Key& key, const std::array<uint8_t, 16>& run) : key_(key), run_(run) {}

  std::string seal(std::string_view place, std::string_view record);
  // kDataLoss: damaged, of another place, or sealed with another key.
  Result<std::string> open(std::string_view place, std::string_view sealed) const;

  // 16 bytes that stand for `text` and tell nobody what it is.
  std::string hide(std::string_view text) const;

 private:
  SecretKey key_;
  std::array<uint8_t, 16> run_;
  uint64_t count_ = 0;
};

// The tag of a sealed record: no two records have the same one. All zero when `sealed` is too short
// to have one.
Tag tag_of(std::string_view sealed);

}  // namespace shoal::crypto
