// Tables with any one byte changed or any file cut short hold what they held at some time, with the
// index of that time, so that raft brings the rest; or they are refused. Never something else.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "manager/tables/tables.h"

namespace shoal::manager {
namespace {

namespace fs = std::filesystem;

const crypto::Key kKey{6};
// Bytes changed of each file, evenly spread, and all of its last ones. SHOAL_DAMAGE_POINTS=0: every
// byte.
constexpr size_t kPoints = 40;
constexpr size_t kTail = 24;

class TablesDamageTest : public ::testing::Test {
 protected:
  TablesDamageTest() {
    const fs::path base = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
    std::string pattern = (base / "shoal-tables-damage-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~TablesDamageTest() override { fs::remove_all(root_); }

  fs::path good() const { return fs::path(root_) / "good"; }
  fs::path tried() const { return fs::path(root_) / "tried"; }

  static Object cursor(size_t number, uint64_t value) {
    AddressCursor out;
    std::string id(kIdLength, '0');
    id.back() = static_cast<char>('a' + number);
    out.network_id = NetworkId(id);
    out.subnet = *Prefix::parse("10.0.0.0/8");
    out.next = Ip::v4(static_cast<uint32_t>(0x0a000000 + value));
    return out;
  }

  // Several lives; objects that come, change and go.
  void make_good() {
    history_[0] = {};
    std::map<size_t, Object> now;
    uint64_t index = 0;
    for (int life = 0; life < 3; ++life) {
      const auto tables = Tables::open(good(), kKey);
      ASSERT_TRUE(tables) << tables.error().message;
      for (int i = 0; i < 12; ++i) {
        const size_t number = ++index % 7;
        const bool removed = index % 5 == 0 && now.contains(number);
        const Object object = removed ? now.at(number) : cursor(number, index);
        if (removed) {
          now.erase(number);
        } else {
          now.insert_or_assign(number, object);
        }
        ASSERT_TRUE((*tables)->write({{object, removed}}, index));
        history_[index] = sorted(now);
      }
    }
  }
  static std::vector<std::string> sorted(const std::map<size_t, Object>& objects) {
    std::vector<std::string> out;
    for (const auto& [number, object] : objects) out.push_back(text(object));
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::string text(const Object& object) {
    const auto& cursor = std::get<AddressCursor>(object);
    return cursor.network_id.str() + " " + cursor.next.str();
  }

  template <typename Harm>
  void try_harm(const fs::path& name, size_t at, Harm harm) {
    fs::remove_all(tried());
    fs::copy(good(), tried());
    harm(tried() / name);
    const auto tables = Tables::open(tried(), kKey);
    if (!tables) return void(++refused_);
    const auto content = (*tables)->load();
    if (!content) return void(++refused_);
    ++taken_;
    std::vector<std::string> objects;
    for (const Object& object : content->objects) objects.push_back(text(object));
    std::sort(objects.begin(), objects.end());
    ASSERT_EQ(objects, history_[content->applied_index])
        << name << " at " << at << ", applied " << content->applied_index;
  }

  template <typename Harm>
  void everywhere(Harm harm) {
    const char* set = getenv("SHOAL_DAMAGE_POINTS");
    const size_t wanted = set == nullptr ? kPoints : strtoul(set, nullptr, 10);
    for (const auto& file : fs::directory_iterator(good())) {
      const fs::path name = file.path().filename();
      if (name.string().starts_with("LOG")) continue;  // a diary that nothing reads
      const size_t size = file.file_size();
      const size_t stride = wanted == 0 ? 1 : std::max<size_t>(1, size / wanted);
      for (size_t at = 0; at < size; ++at) {
        if (at % stride != 0 && at + kTail < size) continue;
        try_harm(name, at, [&](const fs::path& path) { harm(path, at); });
        if (HasFatalFailure()) return;
      }
    }
    std::printf("%d refused, %d taken\n", refused_, taken_);
    EXPECT_GT(refused_, 50);
    EXPECT_GT(taken_, 10);
  }

  std::string root_;
  std::map<uint64_t, std::vector<std::string>> history_;
  int taken_ = 0;
  int refused_ = 0;
};

TEST_F(TablesDamageTest, AnyChangedByte) {
  make_good();
  everywhere([](const fs::path& file, size_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const int old = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(old ^ (at % 2 == 0 ? 0x01 : 0xff)));
  });
}

TEST_F(TablesDamageTest, AnyShortFile) {
  make_good();
  everywhere([](const fs::path& file, size_t at) { fs::resize_file(file, at); });
}

}  // namespace
}  // namespace shoal::manager
