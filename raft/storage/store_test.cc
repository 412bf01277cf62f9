#include "raft/storage/store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

namespace shoal::raft {
namespace {

namespace fs = std::filesystem;

Entry command(Index index, Term term, std::string data) {
  return {.term = term, .index = index, .type = EntryType::kCommand, .data = std::move(data)};
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (fs::temp_directory_path() / "shoal-raft-store-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    strand_.start("test");
    reopen();
  }
  ~StoreTest() override {
    store_.reset();
    strand_.stop();
    fs::remove_all(directory_);
  }

  std::string path() const { return directory_ + "/raft"; }

  void reopen() {
    store_.reset();
    auto opened = RocksLogStore::open(path(), strand_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  LogStore::Loaded load() {
    auto loaded = store_->load();
    if (!loaded) ADD_FAILURE() << loaded.error().message;
    return loaded ? *loaded : LogStore::Loaded{};
  }
  Status save(LogStore::Batch batch) {
    std::promise<Status> done;
    store_->save(std::move(batch), [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  void save_entries(std::vector<Entry> entries) {
    LogStore::Batch batch;
    batch.entries = std::move(entries);
    ASSERT_TRUE(save(std::move(batch)));
  }

  std::string directory_;
  Strand strand_;
  std::unique_ptr<RocksLogStore> store_;
};

TEST_F(StoreTest, EmptyAtFirst) { EXPECT_TRUE(load().empty()); }

TEST_F(StoreTest, KeepsEverythingAcrossARestart) {
  load();
  LogStore::Batch batch;
  batch.hard_state = HardState{3, 2, 1};
  batch.entries = {command(1, 1, "a"),
                   command(2, 3, std::string("\0b", 2)),
                   {.term = 3, .index = 3, .type = EntryType::kNoop, .data = ""}};
  ASSERT_TRUE(save(batch));
  reopen();
  const auto loaded = load();
  EXPECT_EQ(loaded.hard_state, (HardState{3, 2, 1}));
  EXPECT_EQ(loaded.entries, batch.entries);
  EXPECT_EQ(loaded.offset, 0U);
}

TEST_F(StoreTest, LaterEntriesReplaceTheSuffix) {
  load();
  save_entries({command(1, 1, "a"), command(2, 1, "b"), command(3, 1, "c"), command(4, 1, "d")});
  save_entries({command(2, 2, "B")});
  reopen();
  EXPECT_EQ(load().entries, (std::vector<Entry>{command(1, 1, "a"), command(2, 2, "B")}));
  save_entries({command(3, 2, "C")});
  reopen();
  EXPECT_EQ(load().entries.size(), 3U);
}

TEST_F(StoreTest, QueuedSavesFinishInOrderAndTogether) {
  load();
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 1; i <= 200; ++i) {
    LogStore::Batch batch;
    batch.entries = {command(static_cast<Index>(i), 1, std::to_string(i))};
    store_->save(std::move(batch), [&, i](const Status& status) {
      ASSERT_TRUE(status);
      order.push_back(i);
      if (i == 200) all.set_value();
    });
  }
  all.get_future().get();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 200U);
  reopen();
  EXPECT_EQ(load().entries.size(), 200U);
}

TEST_F(StoreTest, OwnSnapshotCompactsAndKeepsTheTail) {
  load();
  save_entries({command(1, 1, "a"), command(2, 1, "b"), command(3, 2, "c"), command(4, 2, "d")});
  LogStore::Batch batch;
  batch.snapshot = std::make_shared<Snapshot>(
      Snapshot{{3, 2, {{1, "a:1", false}, {2, "b:1", true}}}, "state at 3"});
  batch.compact_to = 2;
  batch.compact_term = 1;
  ASSERT_TRUE(save(batch));
  reopen();
  const auto loaded = load();
  EXPECT_EQ(loaded.offset, 2U);
  EXPECT_EQ(loaded.offset_term, 1U);
  EXPECT_EQ(loaded.snapshot, batch.snapshot->meta);
  EXPECT_EQ(loaded.entries, (std::vector<Entry>{command(3, 2, "c"), command(4, 2, "d")}));
  const auto data = store_->load_snapshot();
  ASSERT_TRUE(data);
  EXPECT_EQ(*data, "state at 3");
}

TEST_F(StoreTest, ReceivedSnapshotReplacesTheLog) {
  load();
  save_entries({command(1, 1, "a"), command(2, 1, "b")});
  LogStore::Batch batch;
  batch.snapshot = std::make_shared<Snapshot>(Snapshot{{10, 4, {{1, "a:1", false}}}, "ten"});
  batch.snapshot_replaces_log = true;
  batch.entries = {command(11, 4, "k")};
  ASSERT_TRUE(save(batch));
  batch.snapshot = std::make_shared<Snapshot>(Snapshot{{20, 4, {{1, "a:1", false}}}, "twenty"});
  batch.entries.clear();
  ASSERT_TRUE(save(batch));
  reopen();
  const auto loaded = load();
  EXPECT_EQ(loaded.offset, 20U);
  EXPECT_EQ(loaded.offset_term, 4U);
  EXPECT_TRUE(loaded.entries.empty());
  EXPECT_EQ(*store_->load_snapshot(), "twenty");
  EXPECT_FALSE(fs::exists(path() + "/snapshot-10"));
}

// As on a full disk: files may not grow any more.
class NoRoom {
 public:
  explicit NoRoom(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~NoRoom() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(StoreTest, AFullDiskIsSurvivedAndNothingAcknowledgedIsLost) {
  load();
  const std::string data(100'000, 'x');
  Index acknowledged = 0;
  {
    const NoRoom no_room(1'000'000);
    Status saved;
    for (Index index = 1; index <= 1000 && saved; ++index) {
      LogStore::Batch batch;
      batch.entries = {command(index, 1, data)};
      saved = save(std::move(batch));
      if (saved) acknowledged = index;
    }
    ASSERT_FALSE(saved);
    ASSERT_GT(acknowledged, 0U);
    EXPECT_FALSE(save({.hard_state = HardState{.term = 2}})) << "a log must have no hole";
    // Still full: whatever this gives, it does not end the process, also not again and again.
    const NoRoom less(1000);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(store_->load());
    EXPECT_FALSE(store_->load_snapshot());
    EXPECT_FALSE(save({.hard_state = HardState{.term = 2}}));
  }
  EXPECT_GE(load().entries.size(), acknowledged);
  EXPECT_EQ(load().hard_state, HardState{});
  save_entries({command(acknowledged + 1, 2, "after")});
  reopen();
  const auto loaded = load();
  ASSERT_EQ(loaded.entries.size(), acknowledged + 1);
  EXPECT_EQ(loaded.entries.front().data, data);
  EXPECT_EQ(loaded.entries.back().data, "after");
}

TEST_F(StoreTest, OneProcessAtATime) {
  const auto second = RocksLogStore::open(path(), strand_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorClass::kConflict) << second.error().message;
}

TEST_F(StoreTest, FlippedByteOfAnEntryIsFound) {
  load();
  const std::string data(400, 'x');
  for (Index i = 1; i <= 50; ++i) save_entries({command(i, 1, data)});
  store_.reset();
  // The newest entries are in the write-ahead log; damage one in its middle.
  fs::path log;
  for (const auto& file : fs::directory_iterator(path())) {
    if (file.path().extension() == ".log" && file.file_size() > 0) log = file.path();
  }
  ASSERT_FALSE(log.empty());
  {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(log) / 2));
    file.put('\x7f');
  }
  auto opened = RocksLogStore::open(path(), strand_);
  Error error;
  if (!opened) {
    error = opened.error();
  } else {
    const auto loaded = (*opened)->load();
    ASSERT_FALSE(loaded);
    error = loaded.error();
  }
  EXPECT_EQ(error.code, ErrorClass::kDataLoss);
  EXPECT_NE(error.message.find(path()), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("join it again"), std::string::npos) << error.message;
}

// A crash in the middle of a write that nobody was told of.
TEST_F(StoreTest, TornLastWriteIsDropped) {
  load();
  for (Index i = 1; i <= 5; ++i) save_entries({command(i, 1, std::string(100, 'x'))});
  store_.reset();
  for (const auto& file : fs::directory_iterator(path())) {
    if (file.path().extension() == ".log" && file.file_size() > 0) {
      fs::resize_file(file.path(), file.file_size() - 7);
    }
  }
  reopen();
  EXPECT_EQ(load().entries.size(), 4U);
}

TEST_F(StoreTest, FlippedByteOfTheSnapshotIsFound) {
  load();
  LogStore::Batch batch;
  batch.snapshot = std::make_shared<Snapshot>(Snapshot{{10, 4, {{1, "a:1", false}}}, "ten"});
  batch.snapshot_replaces_log = true;
  ASSERT_TRUE(save(batch));
  {
    std::fstream file(path() + "/snapshot-10", std::ios::in | std::ios::out | std::ios::binary);
    file.put('T');
  }
  const auto data = store_->load_snapshot();
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().code, ErrorClass::kDataLoss);
  EXPECT_NE(data.error().message.find("snapshot-10"), std::string::npos);
}

TEST(Format, EveryFlippedBitOfARecordIsFound) {
  const Entry entry = command(7, 3, "hello");
  const std::string key = format::entry_key(7);
  const std::string good = format::encode(entry);
  const auto decoded = format::decode_entry(key, good);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, entry);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(format::decode_entry(key, bad)) << bit;
  }
  EXPECT_FALSE(format::decode_entry(format::entry_key(8), good)) << "an entry under another's key";
}

TEST(Format, NewerVersionIsRefused) {
  EXPECT_TRUE(format::check_version(format::encode_version()));
  const auto status = format::check_version(std::string("\0\0\0\2", 4));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorClass::kUnimplemented);
}

}  // namespace
}  // namespace shoal::raft
