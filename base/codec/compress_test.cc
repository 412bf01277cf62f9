#include "base/codec/compress.h"

#include <gtest/gtest.h>

#include "base/ports/ports.h"

namespace shoal {
namespace {

TEST(Compressor, RoundTrips) {
  Compressor compressor;
  SeededRng rng(1);
  for (const size_t size : {0, 1, 100, 5000, 1 << 20}) {
    Bytes plain(static_cast<size_t>(size));
    for (uint8_t& byte : plain) byte = static_cast<uint8_t>(rng.below(4));
    Bytes packed(plain.size() + 64);
    const size_t made = compressor.compress(plain, packed);
    ASSERT_GT(made, 0U);
    if (size >= 100) {
      EXPECT_LT(made, plain.size() / 2);
    }
    packed.resize(made);
    Bytes back(plain.size());
    EXPECT_TRUE(compressor.expand(packed, back));
    EXPECT_EQ(back, plain);
  }
}

TEST(Compressor, RefusesWhatIsNotWhatItClaims) {
  Compressor compressor;
  const Bytes plain(1U << 20, 7);  // expands a thousandfold
  Bytes packed(1000);
  packed.resize(compressor.compress(plain, packed));
  ASSERT_GT(packed.size(), 0U);
  Bytes smaller(plain.size() - 1);
  EXPECT_FALSE(compressor.expand(packed, smaller));
  Bytes larger(plain.size() + 1);
  EXPECT_FALSE(compressor.expand(packed, larger));
  Bytes back(plain.size());
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_FALSE(compressor.expand(ByteView(packed).first(size), back)) << size;
  }
  Bytes tiny(4);
  EXPECT_EQ(compressor.compress(plain, tiny), 0U);
  EXPECT_TRUE(compressor.expand(packed, back));  // a refusal spoils nothing
}

}  // namespace
}  // namespace shoal
