#include "manager/security/data_key.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/runtime/files.h"

namespace shoal::manager {
namespace {

class DataKeyTest : public ::testing::Test {
 protected:
  DataKeyTest() {
    char pattern[] = "/tmp/shoal-data-key-XXXXXX";
    directory_ = mkdtemp(pattern);
    path_ = directory_ + "/data_key";
  }
  ~DataKeyTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
};

TEST_F(DataKeyTest, IsMadeOnceAndItsOwnersAlone) {
  EXPECT_EQ(*DataKey::lock_of(path_), DataKey::Lock::kAbsent);
  EXPECT_EQ(DataKey::load(path_, "").error().code, ErrorClass::kNotFound);
  const auto made = DataKey::make(path_);
  ASSERT_TRUE(made) << made.error().message;
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(*DataKey::lock_of(path_), DataKey::Lock::kOpen);
  const auto loaded = DataKey::load(path_, "");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->for_store("raft"), made->for_store("raft"));
  EXPECT_NE(loaded->for_store("raft"), loaded->for_store("tables"));
  EXPECT_NE(DataKey::make(directory_ + "/other")->for_store("raft"), made->for_store("raft"));
}

TEST_F(DataKeyTest, FollowsTheUnlockKey) {
  auto key = DataKey::make(path_);
  ASSERT_TRUE(key);
  const auto raft = key->for_store("raft");
  const std::string first(32, 'a');
  const std::string second(32, 'b');
  ASSERT_TRUE(key->follow(first, 5));
  EXPECT_EQ(*DataKey::lock_of(path_), DataKey::Lock::kLocked);
  EXPECT_EQ(DataKey::load(path_, "").error().code, ErrorClass::kConflict);
  EXPECT_EQ(DataKey::load(path_, second).error().code, ErrorClass::kInvalidArgument);
  auto loaded = DataKey::load(path_, first);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->for_store("raft"), raft);
  ASSERT_TRUE(loaded->follow(second, 9));
  EXPECT_FALSE(DataKey::load(path_, first));
  EXPECT_EQ(DataKey::load(path_, second)->for_store("raft"), raft);
  ASSERT_TRUE(loaded->follow("", 12));
  EXPECT_EQ(DataKey::load(path_, "")->for_store("raft"), raft);
}

TEST_F(DataKeyTest, AnOlderClusterObjectUnlocksNothing) {
  auto key = DataKey::make(path_);
  ASSERT_TRUE(key);
  const std::string first(32, 'a');
  const std::string second(32, 'b');
  ASSERT_TRUE(key->follow(first, 5));
  ASSERT_TRUE(key->follow(second, 9));
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(key->follow("", 3));
    ASSERT_TRUE(key->follow(first, 5));
    ASSERT_TRUE(key->follow(first, 9));
    EXPECT_EQ(key->unlock_key(), second);
    key = DataKey::load(path_, second);
    ASSERT_TRUE(key) << key.error().message;
  }
  ASSERT_TRUE(key->follow(first, 10));
  EXPECT_TRUE(DataKey::load(path_, first));
}

TEST_F(DataKeyTest, AnyChangedByteIsRefused) {
  for (const std::string& unlock_key : {std::string(), std::string(32, 'a')}) {
    ASSERT_TRUE(DataKey::make(path_)->follow(unlock_key, 1));
    const std::string good = *read_file(path_);
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 0x20);
      ASSERT_TRUE(write_file_atomic(path_, bad));
      EXPECT_EQ(DataKey::load(path_, unlock_key).error().code, ErrorClass::kDataLoss) << i;
    }
    ASSERT_TRUE(write_file_atomic(path_, good.substr(0, good.size() / 2)));
    EXPECT_EQ(DataKey::lock_of(path_).error().code, ErrorClass::kDataLoss);
  }
}

TEST(UnlockKey, IsWrittenAsDockerDoes) {
  const std::string key(
      "\x5a\xe6\x07\xfc\x85\xf6\xf3\x8f\xa5\x71\x75\xee\xa1\x57\xf7\xf2"
      "\xf8\x88\x0c\xad\xc7\x24\x46\x0a\x63\x5d\xcc\x1c\x85\xfe\xb5\x3b",
      32);
  const std::string text = format_unlock_key(key);
  EXPECT_EQ(text, "SWMKEY-1-WuYH/IX284+lcXXuoVf38viIDK3HJEYKY13MHIX+tTs");
  EXPECT_EQ(*parse_unlock_key(text), key);
  for (const std::string& bad :
       {std::string(), text.substr(9), text.substr(0, 51), text + "A", text + "=",
        "SWMTKN-1-" + text.substr(9), text.substr(0, 20) + "!" + text.substr(21)}) {
    EXPECT_EQ(parse_unlock_key(bad).error().code, ErrorClass::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace shoal::manager
