#include "base/codec/bytes.h"

#include <gtest/gtest.h>

#include "base/codec/crc32c.h"

namespace shoal {
namespace {

TEST(Bytes, RoundTrip) {
  ByteWriter writer;
  writer.u8(1);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.u64(~0ULL);
  for (uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, ~0ULL}) writer.varint(value);
  writer.text("shop");
  writer.ip(Ip::parse("10.0.0.1").value());
  writer.ip(Ip::parse("fd00::1").value());
  const Bytes bytes = writer.take();

  ByteReader reader(bytes);
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607U);
  EXPECT_EQ(reader.u64(), ~0ULL);
  for (uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, ~0ULL}) EXPECT_EQ(reader.varint(), value);
  EXPECT_EQ(reader.text(10), "shop");
  EXPECT_EQ(reader.ip().str(), "10.0.0.1");
  EXPECT_EQ(reader.ip().str(), "fd00::1");
  EXPECT_TRUE(reader.done());

  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    ByteReader truncated(ByteView(bytes).first(cut));
    truncated.u8(), truncated.u16(), truncated.u32(), truncated.u64();
    for (int i = 0; i < 5; ++i) truncated.varint();
    truncated.text(10), truncated.ip(), truncated.ip();
    EXPECT_FALSE(truncated.ok()) << cut;
  }
}

TEST(Bytes, RefusesWhatIsOutOfRange) {
  const Bytes overlong(11, 0xff);
  ByteReader varint(overlong);
  EXPECT_EQ(varint.varint(), 0U);
  EXPECT_FALSE(varint.ok());

  const Bytes claims_more = {0x05, 'a', 'b'};
  ByteReader text(claims_more);
  EXPECT_EQ(text.text(100), "");
  EXPECT_FALSE(text.ok());

  const Bytes too_long = {0x02, 'a', 'b'};
  ByteReader bounded(too_long);
  EXPECT_EQ(bounded.text(1), "");
  EXPECT_FALSE(bounded.ok());
}

TEST(Crc32c, KnownVectors) {  // RFC 3720 B.4
  EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62a8ab43U);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32c(as_bytes("56789"), crc32c(as_bytes("1234"))), 0xe3069283U);
}

}  // namespace
}  // namespace shoal
