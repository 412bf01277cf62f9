#include "worker/local/records.h"

#include <gtest/gtest.h>

namespace shoal::worker {
namespace {

LocalRecords some_records() {
  LocalRecords records;
  records.pool_v6 = *Prefix::parse("fd12:3456:789a::/48");
  manager::Network network;
  network.id = NetworkId("nnnnnnnnnnnnnnnnnnnnnnnnn");
  network.spec.name = "shop";
  network.spec.driver = "bridge";
  network.spec.labels = {{"tier", "front"}};
  network.subnets = {{*Prefix::parse("172.18.0.0/16"), *Ip::parse("172.18.0.1"), {}, {}, {}}};
  network.created_at = {7};
  records.networks = {network};
  return records;
}

TEST(LocalRecordsTest, ComeBackAsTheyWere) {
  const LocalRecords records = some_records();
  const auto again = decode_local(encode_local(records), "file");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(*again, records);
}

TEST(LocalRecordsTest, DamageIsToldWithTheFile) {
  const Bytes file = encode_local(some_records());
  for (size_t i = 0; i < file.size(); ++i) {
    Bytes damaged = file;
    damaged[i] ^= 0x20;
    EXPECT_FALSE(decode_local(damaged, "the-file").ok()) << i;
    const auto cut = decode_local(ByteView(file).first(i), "the-file");
    ASSERT_FALSE(cut.ok()) << i;
    EXPECT_NE(cut.error().message.find("the-file"), std::string::npos);
  }
}

}  // namespace
}  // namespace shoal::worker
