// A store that an earlier version wrote, not sealed: it is read, sealed, and nothing of it is left
// open.
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "base/codec/crc32c.h"
#include "raft/storage/format_v1.h"
#include "raft/storage/rocksdb_options.h"
#include "raft/storage/store.h"

namespace shoal::raft {
namespace {

namespace fs = std::filesystem;

const crypto::Key kKey{8, 8};
constexpr char kSecret[] = "the-private-key-of-the-cluster";

// As format 1 had it: a checksum, then the record.
std::string checked(std::string_view key, const ByteWriter& record) {
  ByteWriter out;
  out.u32(crc32c(record.view(), crc32c(as_bytes(key))));
  out.raw(record.view());
  return std::string(as_text(out.view()));
}

class UpgradeTest : public ::testing::Test {
 protected:
  UpgradeTest() {
    std::string pattern = (fs::temp_directory_path() / "shoal-raft-upgrade-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    strand_.start("test");
  }
  ~UpgradeTest() override {
    strand_.stop();
    fs::remove_all(directory_);
  }

  // Entries 4 to 6 after offset 3, a snapshot at 5.
  void write_format_1() {
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(small_rocksdb_options(), directory_, &db).ok());
    const auto put = [&](std::string_view key, const std::string& value) {
      rocksdb::WriteOptions synced;
      synced.sync = true;
      ASSERT_TRUE(db->Put(synced, rocksdb::Slice(key), value).ok());
    };
    put("f", std::string("\0\0\0\1", 4));
    ByteWriter hard;
    for (const uint64_t value : {3, 1, 5}) hard.u64(value);
    put("h", checked("h", hard));
    ByteWriter offset;
    for (const uint64_t value : {3, 2}) offset.u64(value);
    put("o", checked("o", offset));
    for (Index index = 4; index <= 6; ++index) {
      ByteWriter entry;
      entry.u64(3);
      entry.u8(0);
      entry.raw(as_bytes(kSecret));
      put(format::entry_key(index), checked(format::entry_key(index), entry));
    }
    std::ofstream(directory_ + "/snapshot-5") << kSecret;
    ByteWriter snapshot;
    for (const uint64_t value : {5UL, 3UL, sizeof kSecret - 1}) snapshot.u64(value);
    snapshot.u32(crc32c(as_bytes(kSecret)));
    snapshot.varint(1);
    snapshot.u64(1);
    snapshot.text("a:1");
    snapshot.u8(0);
    put("s", checked("s", snapshot));
    delete db;
  }

  std::string directory_;
  Strand strand_;
};

TEST_F(UpgradeTest, IsReadAndSealed) {
  write_format_1();
  EXPECT_EQ(*RocksLogStore::format_of(directory_), 1U);
  for (int start = 0; start < 2; ++start) {
    auto store = RocksLogStore::open(directory_, kKey, strand_);
    ASSERT_TRUE(store) << store.error().message;
    const auto loaded = (*store)->load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->hard_state, (HardState{3, 1, 5}));
    EXPECT_EQ(loaded->offset, 3U);
    EXPECT_EQ(loaded->offset_term, 2U);
    EXPECT_EQ(loaded->snapshot, (SnapshotMeta{5, 3, {{1, "a:1", false}}}));
    ASSERT_EQ(loaded->entries.size(), 3U);
    EXPECT_EQ(loaded->entries[2], (Entry{3, 6, EntryType::kCommand, kSecret}));
    EXPECT_EQ(*read_all(**(*store)->load_snapshot()), kSecret);
  }
  EXPECT_EQ(*RocksLogStore::format_of(directory_), 2U);
  for (const auto& file : fs::directory_iterator(directory_)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(content.find(kSecret), std::string::npos) << file.path();
  }
}

TEST_F(UpgradeTest, ADamagedOneIsRefused) {
  write_format_1();
  std::ofstream(directory_ + "/snapshot-5") << "something else, and of another length";
  const auto store = RocksLogStore::open(directory_, kKey, strand_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::raft
