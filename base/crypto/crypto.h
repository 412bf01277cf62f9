// Cryptography by libsodium: AEAD, hash, constant-time compare. Pure: keys and nonces come from the
// caller.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/codec/bytes.h"
#include "base/types/result.h"

namespace shoal::crypto {

using Key = std::array<uint8_t, 32>;
using Nonce = std::array<uint8_t, 24>;
using Sha256 = std::array<uint8_t, 32>;

inline constexpr size_t kTagSize = 16;

// Overwrites a secret that is not needed any more; no compiler leaves it out.
void wipe(std::span<uint8_t> secret);

// A key that is wiped where it lay when it goes.
struct SecretKey : Key {
  explicit SecretKey(const Key& key = {}) : Key(key) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey() { wipe(*this); }
};

// XChaCha20-Poly1305 (IETF). A nonce must not repeat under one key; 24 random bytes will not.
// Returns the ciphertext followed by the 16-byte tag.
Bytes seal(const Key& key, const Nonce& nonce, ByteView associated_data, ByteView plaintext);

// The same without a copy. `out` has room for exactly the ciphertext and its tag, or the plaintext;
// open_into() may open in place, with `out` the beginning of `sealed`.
void seal_into(std::span<uint8_t> out, const Key& key, const Nonce& nonce, ByteView associated_data,
               ByteView plaintext);
// False when the tag does not match (forged, damaged, or another key).
bool open_into(std::span<uint8_t> out, const Key& key, const Nonce& nonce, ByteView associated_data,
               ByteView sealed);

Sha256 sha256(ByteView bytes);

// The same of bytes that come one after the other.
class Sha256Hasher {
 public:
  Sha256Hasher();
  void add(ByteView bytes);
  Sha256 finish();  // once, and nothing after it

 private:
  alignas(64) std::array<uint8_t, 128> state_{};  // libsodium's
};
// BLAKE2b-256 keyed by `key`: derives independent keys from one secret and a label.
SecretKey derive_key(ByteView secret, std::string_view label);

// Takes the same time wherever the inputs differ (not: whether their lengths do).
bool constant_time_equal(ByteView a, ByteView b);

}  // namespace shoal::crypto
