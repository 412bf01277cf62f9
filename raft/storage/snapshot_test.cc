// A state written out beside the saves, and one that arrives in pieces: bounded, checked, and clean
// after a restart in the midst of it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "raft/storage/store.h"

namespace shoal::raft {
namespace {

namespace fs = std::filesystem;

const crypto::Key kKey{3};
const std::vector<Member> kMembers = {{1, "a:1", false}};

// `size` bytes that differ from piece to piece.
class Pattern final : public SnapshotSource {
 public:
  explicit Pattern(uint64_t size) : left_(size) {}
  uint64_t size_hint() const override { return left_; }
  Result<std::string> next(size_t most) override {
    if (fails) return internal_error("the tables are closed");
    std::string out(std::min<uint64_t>(most, left_), static_cast<char>('a' + count_++ % 26));
    left_ -= out.size();
    return out;
  }
  Status make_durable() override {
    ++synced;
    return ok_status();
  }
  bool fails = false;
  static inline int synced = 0;

 private:
  uint64_t left_;
  int count_ = 0;
};

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() {
    std::string pattern = (fs::temp_directory_path() / "shoal-raft-snapshot-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    strand_.start("test");
    open();
  }
  ~SnapshotTest() override {
    store_.reset();
    strand_.stop();
    fs::remove_all(directory_);
  }
  void open() {
    store_.reset();
    auto opened = RocksLogStore::open(directory_, kKey, strand_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    ASSERT_TRUE(store_->load());
  }
  Result<std::shared_ptr<const Snapshot>> write_out(Index index,
                                                    std::unique_ptr<SnapshotSource> source,
                                                    bool with_data = true) {
    std::promise<Result<std::shared_ptr<const Snapshot>>> promise;
    store_->write_out({index, 2, kMembers}, std::move(source), with_data,
                      [&](auto result) { promise.set_value(std::move(result)); });
    auto result = promise.get_future().get();
    strand_.call([] {});  // the callback is gone, and what it held
    return result;
  }
  Status save(LogStore::Batch batch) {
    std::promise<Status> done;
    store_->save(std::move(batch), [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  size_t unfinished() const {
    size_t count = 0;
    for (const auto& file : fs::directory_iterator(directory_)) {
      if (file.path().filename().string().starts_with("unfinished-")) ++count;
    }
    return count;
  }

  std::string directory_;
  Strand strand_;
  std::unique_ptr<RocksLogStore> store_;
};

TEST_F(SnapshotTest, IsWrittenOutReadAnywhereAndSaved) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{format::kSnapshotPart},
                              uint64_t{2 * format::kSnapshotPart + 77}}) {
    const Index index = 10 + size % 1000;
    const auto snapshot = write_out(index, std::make_unique<Pattern>(size));
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    const SnapshotData& data = *(*snapshot)->data;
    EXPECT_EQ(data.size(), size);
    const auto whole = read_all(data);
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(data.digest(), crypto::sha256(as_bytes(*whole)));
    for (uint64_t at = 0; at < size; at += 300'007) {
      EXPECT_EQ(*data.read(at, 500'000), whole->substr(at, 500'000)) << at;
    }
    EXPECT_EQ(*data.read(size, 10), "");
    ASSERT_TRUE(save({.snapshot = *snapshot, .snapshot_replaces_log = true}));
    EXPECT_EQ(unfinished(), 0U);
    open();
    EXPECT_TRUE(*read_all(**store_->load_snapshot()) == *whole);
    // Whoever reads the former one may go on.
    EXPECT_TRUE(*read_all(data) == *whole);
  }
}

TEST_F(SnapshotTest, OneThatIsNotSavedGoesWithItsLastReader) {
  auto snapshot = write_out(5, std::make_unique<Pattern>(100));
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(unfinished(), 1U);
  snapshot = internal_error("forgotten");
  EXPECT_EQ(unfinished(), 0U);
  auto broken = std::make_unique<Pattern>(100);
  broken->fails = true;
  EXPECT_EQ(write_out(5, std::move(broken)).error().code, ErrorClass::kInternal);
  EXPECT_EQ(unfinished(), 0U);
}

TEST_F(SnapshotTest, ALargeStateIsTheTables) {
  const int before = Pattern::synced;
  const auto snapshot = write_out(7, std::make_unique<Pattern>(1), false);
  ASSERT_TRUE(snapshot);
  EXPECT_EQ((*snapshot)->data, nullptr);
  EXPECT_EQ(Pattern::synced, before + 1);
  ASSERT_TRUE(save({.entries = {{.term = 2, .index = 1}, {.term = 2, .index = 2}}}));
  ASSERT_TRUE(save({.snapshot = *snapshot}));
  open();
  const auto lost = store_->load_snapshot();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorClass::kDataLoss);
  EXPECT_NE(lost.error().message.find("join it again"), std::string::npos);
}

TEST_F(SnapshotTest, ArrivesInPiecesAndIsGoneOnWith) {
  SnapshotInbox& inbox = store_->inbox();
  const SnapshotText text(std::string(3'000'000, 'x') + "end");
  const SnapshotMeta meta{9, 4, kMembers};
  ASSERT_EQ(*inbox.begin(meta, text.size(), text.digest()), 0U);
  ASSERT_TRUE(inbox.add(0, *text.read(0, 1'000'000)));
  ASSERT_TRUE(inbox.add(1'000'000, *text.read(1'000'000, 900'000)));
  // Another connection.
  ASSERT_EQ(*inbox.begin(meta, text.size(), text.digest()), 1'900'000U);
  EXPECT_FALSE(inbox.finish()) << "not whole";
  ASSERT_TRUE(inbox.add(1'900'000, *text.read(1'900'000, 2'000'000)));
  const auto snapshot = inbox.finish();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ((*snapshot)->meta, meta);
  EXPECT_TRUE(*read_all(*(*snapshot)->data) == *read_all(text));
  ASSERT_TRUE(save({.snapshot = *snapshot, .snapshot_replaces_log = true}));
  open();
  EXPECT_TRUE(*read_all(**store_->load_snapshot()) == *read_all(text));
}

TEST_F(SnapshotTest, HostilePiecesAreRefused) {
  SnapshotInbox& inbox = store_->inbox();
  const SnapshotText text("the whole state");
  const SnapshotMeta meta{9, 4, kMembers};
  EXPECT_FALSE(inbox.add(0, "x")) << "nothing was begun";
  EXPECT_FALSE(inbox.finish());
  EXPECT_FALSE(inbox.begin(meta, kMaxSnapshotBytes + 1, text.digest()));
  ASSERT_TRUE(inbox.begin(meta, text.size(), text.digest()));
  EXPECT_FALSE(inbox.add(1, "x")) << "a hole";
  EXPECT_FALSE(inbox.add(UINT64_MAX, "x"));
  EXPECT_FALSE(inbox.add(0, std::string(text.size() + 1, 'x'))) << "more than was said";
  ASSERT_TRUE(inbox.add(0, "another state!!"));
  const auto wrong = inbox.finish();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorClass::kDataLoss);
  EXPECT_EQ(unfinished(), 0U) << "it is forgotten";
  // Of another place, size or digest: another snapshot.
  ASSERT_EQ(*inbox.begin(meta, text.size(), text.digest()), 0U);
  ASSERT_TRUE(inbox.add(0, "the"));
  ASSERT_EQ(*inbox.begin({9, 5, kMembers}, text.size(), text.digest()), 0U);
  ASSERT_TRUE(inbox.add(0, "the"));
  ASSERT_EQ(*inbox.begin({9, 5, kMembers}, text.size() + 1, text.digest()), 0U);
  EXPECT_EQ(unfinished(), 1U);
}

TEST_F(SnapshotTest, ARestartInTheMidstIsClean) {
  const SnapshotText text(std::string(3'000'000, 'x'));
  ASSERT_TRUE(store_->inbox().begin({9, 4, kMembers}, text.size(), text.digest()));
  ASSERT_TRUE(store_->inbox().add(0, *text.read(0, 2'000'000)));
  // As a crash leaves it: the name stays.
  fs::copy_file(
      directory_ + "/" +
          [&] {
            for (const auto& file : fs::directory_iterator(directory_)) {
              const std::string name = file.path().filename();
              if (name.starts_with("unfinished-")) return name;
            }
            return std::string("none");
          }(),
      directory_ + "/unfinished-99999");
  open();
  EXPECT_EQ(unfinished(), 0U);
  EXPECT_EQ(*store_->inbox().begin({9, 4, kMembers}, text.size(), text.digest()), 0U);
}

}  // namespace
}  // namespace shoal::raft
