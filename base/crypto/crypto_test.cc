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
  const auto open = [&](const Key& with, std::string_view associated, ByteView text) {
    Bytes out(text.size() - std::min(text.size(), kTagSize));
    return open_into(out, with, nonce, as_bytes(associated), text) ? std::string(as_text(out)) : "";
  };
  EXPECT_EQ(open(key, "header", sealed), "payload");
  Bytes place = sealed;
  ASSERT_TRUE(open_into(std::span(place).first(7), key, nonce, as_bytes("header"), place));
  EXPECT_EQ(as_text(ByteView(place).first(7)), "payload") << "in place";

  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes damaged = sealed;
    damaged[i] ^= 1;
    EXPECT_EQ(open(key, "header", damaged), "") << i;
  }
  EXPECT_EQ(open(key, "Header", sealed), "");
  EXPECT_EQ(open(Key{}, "header", sealed), "");
  EXPECT_EQ(open(key, "header", ByteView(sealed).first(kTagSize - 1)), "");
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
