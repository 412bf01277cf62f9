#include "manager/backup/backup.h"

#include <gtest/gtest.h>

namespace shoal::manager {
namespace {

BackupHeader header() {
  return {
      ClusterId("ccccccccccccccccccccccccc"), {1'700'000'000'000'000'000}, "h1", 42, 7, 1, 2, 3};
}

TEST(Backup, ComesBackAsItWas) {
  const auto back = decode_backup(encode_backup(header(), "the state"));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->header, header());
  EXPECT_EQ(back->state, "the state");
}

TEST(Backup, AnyChangedByteIsFound) {
  const std::string file = encode_backup(header(), "the state of the cluster");
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {0x01, 0x80}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      EXPECT_FALSE(decode_backup(damaged).ok()) << "byte " << at;
    }
  }
}

TEST(Backup, AnyShorterOrLongerFileIsRefused) {
  const std::string file = encode_backup(header(), "the state");
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(decode_backup(file.substr(0, size)).ok()) << size;
  }
  EXPECT_EQ(decode_backup(file + "x").error().code, ErrorClass::kDataLoss);
  EXPECT_NE(decode_backup(file.substr(0, 50)).error().message.find("cut short: it has 50 of"),
            std::string::npos);
  EXPECT_EQ(decode_backup("#!/bin/sh").error().code, ErrorClass::kInvalidArgument);
}

TEST(Backup, ANewerFormatIsNamed) {
  std::string file = encode_backup(header(), "the state");
  file[11] = 2;
  EXPECT_EQ(decode_backup(file).error().code, ErrorClass::kUnimplemented);
}

}  // namespace
}  // namespace shoal::manager
