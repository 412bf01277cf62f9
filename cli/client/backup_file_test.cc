#include "cli/client/backup_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace shoal::cli {
namespace {

class BackupFile : public ::testing::Test {
 protected:
  BackupFile() {
    char path[] = "/tmp/shoal-backup-XXXXXX";
    directory_ = mkdtemp(path);
    path_ = directory_ + "/b";
  }
  ~BackupFile() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
};

TEST_F(BackupFile, IsForItsOwnerAloneWholeAndWithoutRemains) {
  ASSERT_TRUE(check_new_file(path_).ok());
  ASSERT_TRUE(write_secret_file(path_, "secret").ok());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(*read_backup_file(path_), "secret");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(BackupFile, ReplacesNothing) {
  ASSERT_TRUE(write_secret_file(path_, "first").ok());
  EXPECT_EQ(check_new_file(path_).error().code, ErrorClass::kAlreadyExists);
  EXPECT_FALSE(write_secret_file(path_, "second").ok());
  EXPECT_EQ(*read_backup_file(path_), "first");
}

TEST_F(BackupFile, SaysWhatIsMissing) {
  EXPECT_EQ(check_new_file(directory_ + "/no/b").error().code, ErrorClass::kNotFound);
  EXPECT_EQ(read_backup_file(path_).error().code, ErrorClass::kNotFound);
}

}  // namespace
}  // namespace shoal::cli
