#include "base/runtime/files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/runtime/strand.h"
#include "base/runtime/system_ports.h"

namespace shoal {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-files-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(Files, WriteReplacesWholeFileWithMode) {
  const std::string path = directory_ + "/state";
  ASSERT_TRUE(write_file_atomic(path, "one").ok());
  ASSERT_TRUE(write_file_atomic(path, "two", 0640).ok());
  EXPECT_EQ(read_file(path).value(), "two");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(Files, WriteWithoutSyncReplacesToo) {
  const std::string path = directory_ + "/state";
  ASSERT_TRUE(write_file_atomic(path, "one").ok());
  ASSERT_TRUE(write_file_atomic(path, "two", 0600, Outlives::kProcess).ok());
  EXPECT_EQ(read_file(path).value(), "two");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(Files, ReadSaysWhatIsWrong) {
  EXPECT_EQ(read_file(directory_ + "/absent").error().code, ErrorClass::kNotFound);
  ASSERT_TRUE(write_file_atomic(directory_ + "/big", std::string(100, 'x')).ok());
  EXPECT_EQ(read_file(directory_ + "/big", 99).error().code, ErrorClass::kInvalidArgument);
}

TEST_F(Files, MakesNestedDirectories) {
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c").ok());
  ASSERT_TRUE(make_directories(directory_ + "/a/b/c").ok());
  EXPECT_TRUE(std::filesystem::is_directory(directory_ + "/a/b/c"));
}

TEST_F(Files, LockHasOneOwner) {
  auto first = FileLock::acquire(directory_ + "/lock");
  ASSERT_TRUE(first.ok());
  const auto second = FileLock::acquire(directory_ + "/lock");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorClass::kConflict);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
  { const FileLock released = std::move(first).value(); }
  EXPECT_TRUE(FileLock::acquire(directory_ + "/lock").ok());
}

TEST(Strand, RunsInOrderAndFiresTimers) {
  Strand strand;
  strand.start("test");
  std::vector<int> seen;
  for (int i = 0; i < 100; ++i) strand.post([&seen, i] { seen.push_back(i); });
  EXPECT_EQ(strand.call([&] { return seen.size(); }), 100U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));

  auto timer = strand.make_timer();
  std::promise<void> fired;
  strand.post([&] { timer->wake_at(SystemClock().now(), [&] { fired.set_value(); }); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  strand.stop();
}

TEST(WorkThread, DrainsBeforeItEnds) {
  int done = 0;
  {
    WorkThread thread("test");
    for (int i = 0; i < 100; ++i) thread.post([&done] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace shoal
