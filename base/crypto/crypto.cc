#include "base/crypto/crypto.h"

#include <sodium.h>

#include "base/types/check.h"

namespace shoal::crypto {
namespace {

void ensure_initialised() {
  static const bool ready = sodium_init() >= 0;
  SHOAL_CHECK(ready, "libsodium cannot start");
}

}  // namespace

void wipe(std::span<uint8_t> secret) { sodium_memzero(secret.data(), secret.size()); }

void seal_into(std::span<uint8_t> out, const Key& key, const Nonce& nonce, ByteView associated_data,
               ByteView plaintext) {
  ensure_initialised();
  SHOAL_CHECK(out.size() == plaintext.size() + kTagSize, "no room for a sealed text");
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      out.data(), nullptr, plaintext.data(), plaintext.size(), associated_data.data(),
      associated_data.size(), nullptr, nonce.data(), key.data());
}

bool open_into(std::span<uint8_t> out, const Key& key, const Nonce& nonce, ByteView associated_data,
               ByteView sealed) {
  ensure_initialised();
  if (sealed.size() != out.size() + kTagSize) return false;
  return crypto_aead_xchacha20poly1305_ietf_decrypt(
             out.data(), nullptr, nullptr, sealed.data(), sealed.size(), associated_data.data(),
             associated_data.size(), nonce.data(), key.data()) == 0;
}

Bytes seal(const Key& key, const Nonce& nonce, ByteView associated_data, ByteView plaintext) {
  Bytes sealed(plaintext.size() + kTagSize);
  seal_into(sealed, key, nonce, associated_data, plaintext);
  return sealed;
}

Sha256 sha256(ByteView bytes) {
  ensure_initialised();
  Sha256 digest{};
  crypto_hash_sha256(digest.data(), bytes.data(), bytes.size());
  return digest;
}

namespace {

crypto_hash_sha256_state& hash_state(std::array<uint8_t, 128>& bytes) {
  static_assert(sizeof(crypto_hash_sha256_state) <= 128);
  return *reinterpret_cast<crypto_hash_sha256_state*>(bytes.data());
}

}  // namespace

Sha256Hasher::Sha256Hasher() {
  ensure_initialised();
  crypto_hash_sha256_init(&hash_state(state_));
}

void Sha256Hasher::add(ByteView bytes) {
  crypto_hash_sha256_update(&hash_state(state_), bytes.data(), bytes.size());
}

Sha256 Sha256Hasher::finish() {
  Sha256 digest{};
  crypto_hash_sha256_final(&hash_state(state_), digest.data());
  return digest;
}

SecretKey derive_key(ByteView secret, std::string_view label) {
  ensure_initialised();
  SecretKey key;
  const ByteView input = as_bytes(label);
  Sha256 digest{};
  if (secret.size() > crypto_generichash_KEYBYTES_MAX) {  // the hash takes no longer key
    digest = sha256(secret);
    secret = digest;
  }
  crypto_generichash(key.data(), key.size(), input.data(), input.size(), secret.data(),
                     secret.size());
  return key;
}

bool constant_time_equal(ByteView a, ByteView b) {
  ensure_initialised();
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace shoal::crypto
