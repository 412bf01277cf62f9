#include "manager/backup/backup.h"

#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

BackupHeader header() {
  return {ClusterId("ccccccccccccccccccccccccc"),
          {1'700'000'000'000'000'000},
          "h1",
          42,
          7,
          1,
          2,
          3,
          false};
}

TEST(Backup, ComesBackAsItWas) {
  const auto back = decode_backup(encode_backup(header(), "the state", std::nullopt), "");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->header, header());
  EXPECT_EQ(back->state, "the state");
}

TEST(Backup, LockedItOpensWithItsKeyAlone) {
  const BackupLock lock{std::string(32, 'k'), {1, 2, 3}};
  const std::string file = encode_backup(header(), "the state", lock);
  EXPECT_EQ(file.find("the state"), std::string::npos);
  const auto back = decode_backup(file, lock.unlock_key);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(back->header.locked);
  EXPECT_EQ(back->header.taken_on, header().taken_on);
  EXPECT_EQ(back->state, "the state");
  const auto no_key = decode_backup(file, "");
  EXPECT_EQ(no_key.error().code, ErrorClass::kUnauthenticated);
  EXPECT_NE(no_key.error().message.find("is locked"), std::string::npos);
  const auto wrong = decode_backup(file, std::string(32, 'w'));
  EXPECT_EQ(wrong.error().code, ErrorClass::kInvalidArgument);
  EXPECT_NE(wrong.error().message.find("not the unlock key"), std::string::npos);
  // Damage is not taken for a wrong key.
  EXPECT_EQ(decode_backup(file.substr(0, file.size() - 1), lock.unlock_key).error().code,
            ErrorClass::kDataLoss);
}

TEST(Backup, AKeyThatIsNotNeededDoesNoHarm) {
  EXPECT_TRUE(decode_backup(encode_backup(header(), "the state", std::nullopt), "key").ok());
}

TEST(Backup, AnyChangedByteIsFound) {
  const std::string file = encode_backup(header(), "the state of the cluster", std::nullopt);
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {0x01, 0x80}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      EXPECT_FALSE(decode_backup(damaged, "").ok()) << "byte " << at;
    }
  }
}

TEST(Backup, AnyShorterOrLongerFileIsRefused) {
  const std::string file = encode_backup(header(), "the state", std::nullopt);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(decode_backup(file.substr(0, size), "").ok()) << size;
  }
  EXPECT_EQ(decode_backup(file + "x", "").error().code, ErrorClass::kDataLoss);
  EXPECT_NE(decode_backup(file.substr(0, 50), "").error().message.find("cut short: it has 50 of"),
            std::string::npos);
  EXPECT_EQ(decode_backup("#!/bin/sh", "").error().code, ErrorClass::kInvalidArgument);
}

TEST(Backup, ANewerFormatIsNamed) {
  std::string file = encode_backup(header(), "the state", std::nullopt);
  file[11] = 2;
  EXPECT_EQ(decode_backup(file, "").error().code, ErrorClass::kUnimplemented);
}

}  // namespace
}  // namespace shoal::manager
