#include "base/crypto/crypto.h"

#include <gtest/gtest.h>

#include "base/codec/text.h"

namespace shoal::crypto {
namespace {

TEST(Crypto, ASecretIsWiped) {
  Key key{1, 2, 3};
  wipe(key);
  EXPECT_EQ(key, Key{});
}

TEST(Aead, OpensOnlyWhatWasSealed) {
  Key key{};
  key[0] = 1;
  const Nonce nonce{};
  const Bytes sealed = seal(key, nonce, as_bytes("header"), as_bytes("payload"));
  EXPECT_EQ(sealed.size(), 7 + kTagSize);
  EXPECT_EQ(as_text(open(key, nonce, as_bytes("header"), sealed).value()), "payload");

  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes damaged = sealed;
    damaged[i] ^= 1;
    EXPECT_FALSE(open(key, nonce, as_bytes("header"), damaged).ok()) << i;
  }
  EXPECT_FALSE(open(key, nonce, as_bytes("Header"), sealed).ok());
  EXPECT_FALSE(open(Key{}, nonce, as_bytes("header"), sealed).ok());
  EXPECT_FALSE(open(key, nonce, as_bytes("header"), ByteView(sealed).first(kTagSize - 1)).ok());
}

TEST(Sha256, KnownVector) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(DeriveKey, DependsOnSecretAndLabel) {
  const Bytes secret(32, 7);
  EXPECT_EQ(derive_key(secret, "a"), derive_key(secret, "a"));
  EXPECT_NE(derive_key(secret, "a"), derive_key(secret, "b"));
  EXPECT_NE(derive_key(secret, "a"), derive_key(Bytes(32, 8), "a"));
}

TEST(ConstantTimeEqual, Compares) {
  EXPECT_TRUE(constant_time_equal(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("ab")));
}

TEST(Crypto, ALongSecretCountsToItsEnd) {
  std::string secret(200, 's');
  const Key key = derive_key(as_bytes(secret), "label");
  secret.back() = 't';
  EXPECT_NE(derive_key(as_bytes(secret), "label"), key);
}

}  // namespace
}  // namespace shoal::crypto
