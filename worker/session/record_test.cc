#include "worker/session/record.h"

#include <gtest/gtest.h>

#include "base/ports/ports.h"

namespace shoal::worker {
namespace {

EndpointRecord example() {
  return {"web",
          {"www", "front"},
          {Ip::v4(0x0a000105), *Ip::parse("fd00::5")},
          *Mac::parse("02:00:00:00:00:05"),
          *Ip::parse("192.168.90.11")};
}

TEST(EndpointRecord, RoundTrips) {
  const auto decoded = decode_record(encode_record(example()));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, example());
}

TEST(EndpointRecord, DropsAliasesRatherThanOutgrowGossip) {
  EndpointRecord record = example();
  record.aliases.assign(20, std::string(200, 'a'));
  const Bytes bytes = encode_record(record);
  EXPECT_LE(bytes.size(), EndpointRecord::kMaxSize);
  const auto decoded = decode_record(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->aliases.size(), 4U);
  EXPECT_EQ(decoded->ips, record.ips);
}

TEST(EndpointRecord, RefusesTruncatedLongerAndImpossibleOnes) {
  const Bytes good = encode_record(example());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_record(ByteView(good).first(size)).ok()) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(decode_record(longer).ok());

  EndpointRecord record = example();
  record.mac = *Mac::parse("01:00:5e:00:00:01");
  EXPECT_FALSE(decode_record(encode_record(record)).ok()) << "a multicast MAC";
  record = example();
  record.ips = {Ip::v4(0x7f000001)};
  EXPECT_FALSE(decode_record(encode_record(record)).ok()) << "a loopback address";
  record = example();
  record.ips.clear();
  EXPECT_FALSE(decode_record(encode_record(record)).ok()) << "no address";
  record = example();
  record.vtep = Ip::v4(0xe0000001);
  EXPECT_FALSE(decode_record(encode_record(record)).ok()) << "a multicast VTEP";
}

TEST(EndpointRecord, SurvivesNoise) {
  SeededRng rng(3);
  const Bytes good = encode_record(example());
  for (int i = 0; i < 50000; ++i) {
    Bytes noisy = good;
    for (int k = 0; k < 4; ++k) noisy[rng.below(noisy.size())] = static_cast<uint8_t>(rng.next());
    const auto decoded = decode_record(noisy);
    if (decoded.ok()) {
      EXPECT_LE(decoded->ips.size(), EndpointRecord::kMaxIps);
    }
  }
}

}  // namespace
}  // namespace shoal::worker
