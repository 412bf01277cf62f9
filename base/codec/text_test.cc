#include "base/codec/text.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(Hex, RoundTripAndRefusals) {
  const Bytes bytes = {0x00, 0x9f, 0xff};
  EXPECT_EQ(to_hex(bytes), "009fff");
  EXPECT_EQ(from_hex("009fff").value(), bytes);
  EXPECT_FALSE(from_hex("0").ok());
  EXPECT_FALSE(from_hex("0g").ok());
  EXPECT_FALSE(from_hex("zz").ok());
}

TEST(Base36, RoundTripAtTheEdges) {
  for (uint8_t fill : {0x00, 0x01, 0x80, 0xff}) {
    const Bytes digest(32, fill);
    const std::string text = to_base36(digest, 50);
    EXPECT_EQ(text.size(), 50U);
    EXPECT_EQ(from_base36(text, 32).value(), digest);
  }
  EXPECT_EQ(to_base36(Bytes{36}, 3), "010");
}

TEST(Base36, Refusals) {
  EXPECT_FALSE(from_base36(std::string(50, 'z'), 32).ok()) << "more than 32 bytes";
  EXPECT_FALSE(from_base36("A", 32).ok());
  EXPECT_FALSE(from_base36("-", 32).ok());
}

}  // namespace
}  // namespace shoal
