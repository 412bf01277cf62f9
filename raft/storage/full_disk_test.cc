// A disk that fills up: saves are refused with the reason, nothing acknowledged is lost, and room
// on the disk makes the store go on. Needs root, for a small tmpfs; skips without.
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "raft/storage/store.h"

namespace shoal::raft {
namespace {

namespace fs = std::filesystem;

const crypto::Key kKey{5};

class FullDiskTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "shoal-raft-full-XXXXXX").string();
    disk_ = mkdtemp(pattern.data());
    const std::string size = "size=" + std::to_string(GetParam()) + "k";
    if (mount("shoal-test", disk_.c_str(), "tmpfs", 0, size.c_str()) != 0) {
      GTEST_SKIP() << "needs root, to make a small file system";
    }
    mounted_ = true;
    strand_.start("test");
  }
  void TearDown() override {
    store_.reset();
    strand_.stop();
    if (mounted_) umount2(disk_.c_str(), MNT_DETACH);
    fs::remove_all(disk_);
  }

  Status open() {
    store_.reset();
    auto opened = RocksLogStore::open(disk_ + "/raft", kKey, strand_);
    if (!opened) return opened.error();
    store_ = std::move(*opened);
    return ok_status();
  }
  Status save(Index index) {
    LogStore::Batch batch;
    batch.hard_state = HardState{1, 1, index - 1};
    batch.entries = {{1, index, EntryType::kCommand, std::string(3000, 'x')}};
    std::promise<Status> done;
    store_->save(std::move(batch), [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  // Takes all the room that is left; returns what frees it.
  fs::path fill() {
    const fs::path path = disk_ + "/ballast";
    std::ofstream out(path, std::ios::binary);
    const std::string block(4096, 'b');
    while (out.write(block.data(), static_cast<std::streamsize>(block.size())) && out.flush()) {
    }
    return path;
  }

  std::string disk_;
  bool mounted_ = false;
  Strand strand_;
  std::unique_ptr<RocksLogStore> store_;
};

TEST_P(FullDiskTest, RefusesSaysSoAndGoesOn) {
  const Status opened = open();
  if (!opened) {
    EXPECT_EQ(opened.error().code, ErrorClass::kResourceExhausted) << opened.error().message;
    return;
  }
  ASSERT_TRUE(store_->load());
  Index acknowledged = 0;
  for (int round = 0; round < 3; ++round) {
    while (acknowledged < 5U * static_cast<Index>(round + 1) && save(acknowledged + 1)) {
      ++acknowledged;
    }
    const fs::path ballast = fill();
    Status status = ok_status();
    for (int i = 0; i < 1000 && status; ++i) {
      status = save(acknowledged + 1);
      if (status) ++acknowledged;
    }
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorClass::kResourceExhausted) << status.error().message;
    EXPECT_NE(status.error().message.find("Free space"), std::string::npos);
    EXPECT_FALSE(save(acknowledged + 2)) << "nothing is saved after a failed save";
    fs::remove(ballast);
    if (round == 2) {  // a restart instead
      ASSERT_TRUE(open());
    }
    auto loaded = store_->load();
    if (!loaded && GetParam() < 128) {  // no room to start over in
      EXPECT_EQ(loaded.error().code, ErrorClass::kResourceExhausted) << loaded.error().message;
      return;
    }
    ASSERT_TRUE(loaded) << loaded.error().message;
    // The entry that failed may be there: nobody was told that it is not.
    ASSERT_GE(loaded->entries.size(), acknowledged);
    ASSERT_LE(loaded->entries.size(), acknowledged + 1);
    acknowledged = loaded->entries.size();
    if (GetParam() > 512) {
      ASSERT_TRUE(save(++acknowledged));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FullDiskTest, ::testing::Values(64, 128, 256, 1024, 2048));

}  // namespace
}  // namespace shoal::raft
