// A directory with any one byte changed, any file cut short or gone, is refused or holds what it
// held: never something else.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "raft/storage/inspect.h"
#include "raft/storage/store.h"

namespace shoal::raft {
namespace {

namespace fs = std::filesystem;

const crypto::Key kKey{8, 8};
// Of each file so many bytes are changed, evenly spread, and all of its last ones: the end is where
// damage looks like a write that was never finished. SHOAL_DAMAGE_POINTS=0: every byte.
constexpr size_t kPoints = 40;
constexpr size_t kTail = 24;

struct Content {
  LogStore::Loaded loaded;
  std::string snapshot;
};

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() {
    const fs::path base = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    std::string pattern = (base / "shoal-raft-damage-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    strand_.start("test");
  }
  ~DamageTest() override {
    strand_.stop();
    fs::remove_all(root_);
  }

  fs::path good() const { return fs::path(root_) / "good"; }
  fs::path tried() const { return fs::path(root_) / "tried"; }

  Result<Content> read(const fs::path& directory) {
    auto store = SHOAL_TRY(RocksLogStore::open(directory, kKey, strand_));
    Content out;
    out.loaded = SHOAL_TRY(store->load());
    out.snapshot = SHOAL_TRY(read_all(*SHOAL_TRY(store->load_snapshot())));
    return out;
  }
  void save(RocksLogStore& store, LogStore::Batch batch) {
    std::promise<Status> done;
    store.save(std::move(batch), [&](Status status) { done.set_value(std::move(status)); });
    ASSERT_TRUE(done.get_future().get());
  }
  static LogStore::Batch entries(Index from, Index to, Term term) {
    LogStore::Batch batch;
    batch.hard_state = HardState{term, 1, from - 1};
    for (Index i = from; i <= to; ++i) {
      batch.entries.push_back({term, i, EntryType::kCommand, std::string(60, 'a' + i % 26)});
    }
    return batch;
  }

  // A life: several starts, a term that replaced entries of another, a snapshot, a compacted log.
  void make_good() {
    for (int life = 0; life < 3; ++life) {
      auto store = RocksLogStore::open(good(), kKey, strand_);
      ASSERT_TRUE(store) << store.error().message;
      ASSERT_TRUE((*store)->load());
      const auto base = static_cast<Index>(life * 20);
      for (Index i = base + 1; i <= base + 20; i += 4)
        save(**store, entries(i, i + 3, life * 10 + 1));
      if (life == 1) {
        save(**store, entries(35, 36, 19));  // conflict: what followed 34 is replaced
        save(**store, entries(37, 40, 19));
        LogStore::Batch batch;
        batch.snapshot = std::make_shared<Snapshot>(Snapshot{
            {36, 19, {{1, "a:1", false}, {2, "b:1", true}}}, snapshot_text(std::string(700, 'S'))});
        batch.compact_to = 30;
        batch.compact_term = 11;
        save(**store, batch);
      }
    }
    const auto content = read(good());
    ASSERT_TRUE(content) << content.error().message;
    truth_ = *content;
    ASSERT_EQ(truth_.loaded.entries.size(), 30U);
    const auto looked = inspect_log(good(), kKey, [](const Entry&) {});
    ASSERT_TRUE(looked) << looked.error().message;
    EXPECT_TRUE(looked->problems.empty()) << looked->problems.front();
    EXPECT_EQ(looked->entries, 30U);
    ASSERT_TRUE(looked->snapshot_data);
    EXPECT_EQ(*read_all(*looked->snapshot_data), truth_.snapshot);
  }

  // Runs `harm` on the copy of a file and looks what the store makes of the directory.
  template <typename Harm>
  void try_harm(const fs::path& name, const std::string& what, Harm harm) {
    fs::remove_all(tried());
    fs::copy(good(), tried());
    harm(tried() / name);
    const auto looked = inspect_log(tried(), kKey, [](const Entry&) {});
    const bool sound = looked && looked->problems.empty() && looked->snapshot_data;
    const auto content = read(tried());
    ++(content ? taken_ : refused_);
    if (!content) {
      EXPECT_FALSE(content.error().message.empty());
      // Who looks at it offline is told, too.
      EXPECT_FALSE(sound) << name << " " << what << ": " << content.error().message;
      return;
    }
    ASSERT_EQ(content->loaded.hard_state, truth_.loaded.hard_state) << name << " " << what;
    ASSERT_EQ(content->loaded.snapshot, truth_.loaded.snapshot) << name << " " << what;
    ASSERT_EQ(content->loaded.offset, truth_.loaded.offset) << name << " " << what;
    ASSERT_EQ(content->loaded.offset_term, truth_.loaded.offset_term) << name << " " << what;
    ASSERT_EQ(content->loaded.entries, truth_.loaded.entries) << name << " " << what;
    ASSERT_EQ(content->snapshot, truth_.snapshot) << name << " " << what;
  }

  static std::vector<size_t> points(size_t size) {
    const char* text = getenv("SHOAL_DAMAGE_POINTS");
    const size_t wanted = text == nullptr ? kPoints : strtoul(text, nullptr, 10);
    const size_t stride = wanted == 0 ? 1 : std::max<size_t>(1, size / wanted);
    std::vector<size_t> out;
    for (size_t at = 0; at < size; at += at + kTail >= size ? 1 : stride) {
      if (at + kTail < size && at + stride + kTail > size) {
        out.push_back(at);
        at = size - kTail;
      }
      out.push_back(at);
    }
    return out;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& file : fs::directory_iterator(good())) {
      // RocksDB's own diary, which nothing reads.
      if (file.path().filename().string().starts_with("LOG")) continue;
      out.push_back(file.path().filename());
    }
    return out;
  }

  std::string root_;
  Strand strand_;
  Content truth_;
  int taken_ = 0;
  int refused_ = 0;
};

TEST_F(DamageTest, AnyChangedByteIsRefusedOrRepaired) {
  make_good();
  for (const fs::path& name : files()) {
    for (const size_t at : points(fs::file_size(good() / name))) {
      for (const int bits : {0x01, 0xff}) {
        try_harm(name, "byte " + std::to_string(at), [&](const fs::path& file) {
          std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
          stream.seekg(static_cast<std::streamoff>(at));
          const int old = stream.get();
          stream.seekp(static_cast<std::streamoff>(at));
          stream.put(static_cast<char>(old ^ bits));
        });
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(refused_, 100);
  EXPECT_GT(taken_, 10);
  std::printf("changed bytes: %d refused, %d without effect\n", refused_, taken_);
}

TEST_F(DamageTest, AnyShortOrMissingFileIsRefusedOrRepaired) {
  make_good();
  for (const fs::path& name : files()) {
    if (name == "acknowledged") continue;  // alone it holds nothing that could be lost
    for (const size_t size : points(fs::file_size(good() / name))) {
      try_harm(name, "cut to " + std::to_string(size),
               [&](const fs::path& file) { fs::resize_file(file, size); });
      if (HasFatalFailure()) return;
    }
    try_harm(name, "removed", [](const fs::path& file) { fs::remove(file); });
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(refused_, 50);
  std::printf("cuts: %d refused, %d without effect\n", refused_, taken_);
}

}  // namespace
}  // namespace shoal::raft
