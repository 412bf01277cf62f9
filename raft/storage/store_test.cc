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

const crypto::Key kKey{4, 2};

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
    auto opened = RocksLogStore::open(path(), kKey, strand_);
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
  Result<std::string> stored() { return read_all(*SHOAL_TRY(store_->load_snapshot())); }
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
      Snapshot{{3, 2, {{1, "a:1", false}, {2, "b:1", true}}}, snapshot_text("state at 3")});
  batch.compact_to = 2;
  batch.compact_term = 1;
  ASSERT_TRUE(save(batch));
  reopen();
  const auto loaded = load();
  EXPECT_EQ(loaded.offset, 2U);
  EXPECT_EQ(loaded.offset_term, 1U);
  EXPECT_EQ(loaded.snapshot, batch.snapshot->meta);
  EXPECT_EQ(loaded.entries, (std::vector<Entry>{command(3, 2, "c"), command(4, 2, "d")}));
  const auto data = stored();
  ASSERT_TRUE(data);
  EXPECT_EQ(*data, "state at 3");
}

TEST_F(StoreTest, ReceivedSnapshotReplacesTheLog) {
  load();
  save_entries({command(1, 1, "a"), command(2, 1, "b")});
  LogStore::Batch batch;
  batch.snapshot =
      std::make_shared<Snapshot>(Snapshot{{10, 4, {{1, "a:1", false}}}, snapshot_text("ten")});
  batch.snapshot_replaces_log = true;
  batch.entries = {command(11, 4, "k")};
  ASSERT_TRUE(save(batch));
  batch.snapshot =
      std::make_shared<Snapshot>(Snapshot{{20, 4, {{1, "a:1", false}}}, snapshot_text("twenty")});
  batch.entries.clear();
  ASSERT_TRUE(save(batch));
  reopen();
  const auto loaded = load();
  EXPECT_EQ(loaded.offset, 20U);
  EXPECT_EQ(loaded.offset_term, 4U);
  EXPECT_TRUE(loaded.entries.empty());
  EXPECT_EQ(*stored(), "twenty");
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
    EXPECT_FALSE(stored());
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
  const auto second = RocksLogStore::open(path(), kKey, strand_);
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
  auto opened = RocksLogStore::open(path(), kKey, strand_);
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

// A crash in the middle of a write that nobody was told of; the same damage to one that was
// acknowledged is no such thing.
TEST_F(StoreTest, ATornLastWriteIsDroppedUnlessItWasAcknowledged) {
  load();
  for (Index i = 1; i <= 4; ++i) save_entries({command(i, 1, std::string(100, 'x'))});
  const fs::path witness = path() + "/acknowledged";
  const fs::path before = directory_ + "/acknowledged";
  fs::copy_file(witness, before);
  save_entries({command(5, 1, std::string(100, 'x'))});
  store_.reset();
  for (const auto& file : fs::directory_iterator(path())) {
    if (file.path().extension() == ".log" && file.file_size() > 0) {
      fs::resize_file(file.path(), file.file_size() - 7);
    }
  }
  reopen();
  const auto refused = store_->load();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorClass::kDataLoss);
  EXPECT_NE(refused.error().message.find("acknowledged last is missing"), std::string::npos)
      << refused.error().message;
  store_.reset();
  fs::copy_file(before, witness, fs::copy_options::overwrite_existing);
  reopen();
  EXPECT_EQ(load().entries.size(), 4U);
}

TEST_F(StoreTest, NothingLiesOpenOnTheDisk) {
  load();
  const std::string secret = "the-private-key-of-the-cluster";
  save_entries({command(1, 1, secret), command(2, 1, "x")});
  LogStore::Batch batch;
  batch.snapshot =
      std::make_shared<Snapshot>(Snapshot{{1, 1, {{1, "a:1", false}}}, snapshot_text(secret)});
  ASSERT_TRUE(save(batch));
  reopen();  // also into a table file
  store_.reset();
  for (const auto& file : fs::directory_iterator(path())) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(content.find(secret), std::string::npos) << file.path();
  }
  reopen();
  EXPECT_EQ(load().entries.size(), 2U);
  EXPECT_EQ(*stored(), secret);
}

TEST_F(StoreTest, AnotherNodesKeyOpensNothing) {
  load();
  save_entries({command(1, 1, "a")});
  store_.reset();
  auto opened = RocksLogStore::open(path(), crypto::Key{1}, strand_);
  ASSERT_TRUE(opened);
  EXPECT_EQ((*opened)->load().error().code, ErrorClass::kDataLoss);
}

TEST_F(StoreTest, FlippedByteOfTheSnapshotIsFound) {
  load();
  LogStore::Batch batch;
  batch.snapshot =
      std::make_shared<Snapshot>(Snapshot{{10, 4, {{1, "a:1", false}}}, snapshot_text("ten")});
  batch.snapshot_replaces_log = true;
  ASSERT_TRUE(save(batch));
  {
    std::fstream file(path() + "/snapshot-10", std::ios::in | std::ios::out | std::ios::binary);
    file.put('T');
  }
  const auto data = stored();
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().code, ErrorClass::kDataLoss);
  EXPECT_NE(data.error().message.find("snapshot-10"), std::string::npos);
}

TEST_F(StoreTest, ASnapshotOfManyPartsIsReadWhole) {
  load();
  std::string data(5 * format::kSnapshotPart / 2, 's');
  data[format::kSnapshotPart] = 'x';
  LogStore::Batch batch;
  batch.snapshot =
      std::make_shared<Snapshot>(Snapshot{{10, 4, {{1, "a:1", false}}}, snapshot_text(data)});
  batch.snapshot_replaces_log = true;
  ASSERT_TRUE(save(batch));
  EXPECT_EQ(*stored(), data);
  const auto size = fs::file_size(path() + "/snapshot-10");
  const auto part = format::kSnapshotPart + crypto::kSealOverhead;
  for (const size_t shorter : {size - 1, 2 * part, part}) {
    fs::resize_file(path() + "/snapshot-10", shorter);
    EXPECT_EQ(stored().error().code, ErrorClass::kDataLoss) << shorter;
  }
}

TEST(Format, RecordsAreReadAsWritten) {
  format::State state;
  state.sequence = 9;
  state.hard_state = {3, 2, 1};
  state.offset = 4;
  state.offset_term = 2;
  state.offset_tag = {1, 2};
  state.last = 7;
  state.last_tag = {3, 4};
  state.snapshot = {4, 2, {{1, "a:1", false}, {2, "b:1", true}}};
  const std::string record = format::encode(state);
  EXPECT_EQ(*format::decode_state(record), state);
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(format::decode_state(std::string_view(record).substr(0, size))) << size;
  }
  const Entry entry = command(7, 3, "hello");
  EXPECT_EQ(*format::decode_entry(7, format::encode(entry)), entry);
  EXPECT_EQ(*format::parse_entry_key(format::entry_key(7)), 7U);
}

TEST(Format, AnotherVersionIsRefusedSayingWhatToDo) {
  EXPECT_TRUE(format::check_version(format::encode_version()));
  const auto refusal = [](const std::string& version) {
    return format::check_version(version).error();
  };
  const Error newer = refusal(std::string("\0\0\0\3", 4));
  EXPECT_EQ(newer.code, ErrorClass::kUnimplemented);
  EXPECT_NE(newer.message.find("upgrade it"), std::string::npos);
  const Error older = refusal(std::string("\0\0\0\1", 4));
  EXPECT_EQ(older.code, ErrorClass::kUnimplemented);
  EXPECT_NE(older.message.find("join it again"), std::string::npos);
  EXPECT_EQ(refusal(std::string(4, '\0')).code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::raft
