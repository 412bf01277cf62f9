#include "gossip/merkle/map.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ports/ports.h"

namespace shoal::gossip::merkle {
namespace {

// Paths of few bits, so that many ids share one: the hash of a place is `spread` bits of each half.
struct Hashing {
  unsigned spread = 64;
  Path of(std::string_view owner, std::string_view key) const {
    const auto cut = [this](uint64_t hash) {
      return spread == 64 ? hash : hash & ~(~uint64_t{0} >> spread);
    };
    return {cut(hash_of(owner, 1)), cut(hash_of(key, 2))};
  }
};

Item item(Pool& pool, const Path& path, const std::string& id, uint64_t stamp, bool marked = false,
          std::string_view value = "v") {
  return {path, 1, stamp, pool.blob(id, as_bytes(value), marked ? kMarked : 0)};
}

// The same as a list: slow and plain.
class Oracle {
 public:
  using Key = std::pair<Path, std::string>;
  struct Entry {
    uint64_t stamp;
    bool marked;
    uint64_t hash;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  Summary below(const Prefix& prefix) const {
    Summary sum;
    for (const auto& [key, entry] : entries) {
      if (!prefix.contains(key.first)) continue;
      sum.hash ^= entry.hash;
      ++sum.count;
      sum.marked += entry.marked;
    }
    return sum;
  }
  Prefix tighten(const Prefix& prefix) const {
    std::optional<Path> first;
    unsigned common = 124;
    for (const auto& [key, entry] : entries) {
      if (!prefix.contains(key.first)) continue;
      if (!first) first = key.first;
      common = std::min(common, common_bits(*first, key.first));
    }
    common -= common % 4;
    return !first || common <= prefix.bits ? prefix : Prefix::of(*first, common);
  }

  std::map<Key, Entry> entries;
};

void expect_same(const Map& map, const Oracle& oracle, const Prefix& prefix) {
  ASSERT_EQ(map.below(prefix), oracle.below(prefix));
  if (prefix.bits % 4 == 0) {
    ASSERT_EQ(map.tighten(prefix), oracle.tighten(prefix));
  }
  if (prefix.bits % 4 == 0 && prefix.bits < kPathBits) {
    const auto parts = map.children(prefix);
    for (unsigned digit = 0; digit < 16; ++digit) {
      ASSERT_EQ(parts[digit], oracle.below(prefix.child(digit))) << digit;
    }
  }
  std::vector<Oracle::Key> expected, marked, seen;
  for (const auto& [key, entry] : oracle.entries) {
    if (!prefix.contains(key.first)) continue;
    expected.push_back(key);
    if (entry.marked) marked.push_back(key);
  }
  map.each(prefix, [&](const Item& item) { seen.emplace_back(item.path, item.id()); });
  ASSERT_EQ(seen, expected);
  for (uint32_t n = 0; n < marked.size(); ++n) {
    const Item& found = map.nth_marked(prefix, n);
    ASSERT_EQ(Oracle::Key(found.path, found.id()), marked[n]);
  }
}

struct Case {
  unsigned spread;
  bool share;
};

class MapAsTheOracle : public testing::TestWithParam<Case> {};

// Puts, replacements, removals and removals of ranges in any order, with snapshots on the way.
TEST_P(MapAsTheOracle, AfterAnySequence) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    Pool pool(GetParam().share);
    const Hashing hashing{GetParam().spread};
    Map map(pool);
    Oracle oracle;
    std::vector<std::pair<Map, Oracle>> snapshots;
    const uint64_t owners = 1 + rng.below(12), keys = 1 + rng.below(120);
    // Seasons of growing and of shrinking, so that nodes split and collapse.
    uint64_t putting = 90;
    for (int step = 0; step < 1500; ++step) {
      if (step % 200 == 199) putting = rng.below(2) == 0 ? 25 : 90;
      const std::string owner = "o" + std::to_string(rng.below(owners));
      const std::string id = owner + "/" + std::to_string(rng.below(keys));
      const Path path = hashing.of(owner, id);
      const Prefix some = Prefix::of(path, static_cast<unsigned>(rng.below(129)));
      if (rng.below(100) < putting) {
        const uint64_t stamp = rng.below(4);
        const bool marked = rng.below(3) == 0;
        const Item made = item(pool, path, id, stamp, marked);
        const Oracle::Entry entry{stamp, marked, made.hash()};
        const auto known = oracle.entries.find({path, id});
        const bool changes = known == oracle.entries.end() || !(known->second == entry);
        // Without sharing another blob is another item, though all of it is equal.
        ASSERT_TRUE(map.put(made) == changes || !GetParam().share);
        ASSERT_FALSE(map.put(made));
        oracle.entries.insert_or_assign({path, id}, entry);
      } else if (rng.below(40) == 0) {
        const uint32_t count = oracle.below(some).count;
        std::erase_if(oracle.entries,
                      [&](const auto& entry) { return some.contains(entry.first.first); });
        ASSERT_EQ(map.erase_prefix(some), count);
      } else {
        ASSERT_EQ(map.erase(path, id), oracle.entries.erase({path, id}) == 1);
      }
      const Item* found = map.find(path, id);
      const auto known = oracle.entries.find({path, id});
      ASSERT_EQ(found != nullptr, known != oracle.entries.end());
      if (found != nullptr) {
        ASSERT_EQ(found->stamp, known->second.stamp);
      }
      ASSERT_EQ(map.summary(), oracle.below({}));
      if (step % 25 == 0) {
        ASSERT_NO_FATAL_FAILURE(expect_same(map, oracle, some));
        ASSERT_NO_FATAL_FAILURE(
            expect_same(map, oracle, Prefix::of(path, static_cast<unsigned>(rng.below(33) * 4))));
      }
      if (step % 300 == 0) snapshots.emplace_back(map, oracle);
    }
    for (const auto& [old_map, old_oracle] : snapshots) {
      ASSERT_NO_FATAL_FAILURE(expect_same(old_map, old_oracle, {}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Map, MapAsTheOracle,
                         testing::Values(Case{64, false}, Case{64, true}, Case{4, false},
                                         Case{4, true}, Case{1, false}, Case{0, true}),
                         [](const auto& info) {
                           return "Spread" + std::to_string(info.param.spread) +
                                  (info.param.share ? "Shared" : "");
                         });

// Two histories that end with the same items end as one tree, however they got there.
TEST(Map, EqualContentsAreOneTree) {
  for (const unsigned spread : {64U, 4U, 1U}) {
    const Hashing hashing{spread};
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SeededRng rng(seed);
      Pool pool(true);
      std::vector<std::string> ids;
      for (uint64_t i = 0, count = 1 + rng.below(300); i < count; ++i) {
        ids.push_back(std::to_string(i));
      }
      Map first(pool);
      for (const std::string& id : ids) first.put(item(pool, hashing.of("o", id), id, 7));
      Map second(pool);
      // The other way round, with what does not stay and with what is replaced.
      for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
        if (rng.below(2) == 0)
          second.put(item(pool, hashing.of("o", "gone" + *id), "gone" + *id, 1));
        if (rng.below(2) == 0) second.put(item(pool, hashing.of("o", *id), *id, 3));
        second.put(item(pool, hashing.of("o", *id), *id, 7));
      }
      for (const std::string& id : ids) second.erase(hashing.of("o", "gone" + id), "gone" + id);
      ASSERT_EQ(first.summary(), second.summary());
      ASSERT_TRUE(first.same_tree(second)) << "spread " << spread << " seed " << seed;
      ASSERT_EQ(first, second);
      second.erase(hashing.of("o", ids[0]), ids[0]);
      ASSERT_FALSE(first.same_tree(second));
      ASSERT_FALSE(first == second);
    }
  }
}

TEST(Map, AHundredReplicasTakeTheMemoryOfOne) {
  Pool pool(true);
  std::vector<Map> replicas(100, Map(pool));
  size_t one = 0;
  for (Map& replica : replicas) {
    for (int i = 0; i < 1000; ++i) {
      const std::string id = std::to_string(i);
      replica.put(item(pool, Hashing{}.of("o", id), id, 7));
    }
    if (one == 0) one = pool.nodes();
  }
  EXPECT_EQ(pool.nodes(), one);
  for (int i = 0; i < 1000; ++i) {
    for (Map& replica : replicas)
      replica.erase(Hashing{}.of("o", std::to_string(i)), std::to_string(i));
  }
  EXPECT_EQ(pool.nodes(), 0);
  EXPECT_EQ(pool.node_bytes(), 0);
}

// The value itself is not in the fingerprint (its stamp stands for it) unless it is asked for.
TEST(Map, FingerprintsCoverWhatTheyAreToldTo) {
  Pool pool(true);
  const auto hash = [&](Path path, uint64_t epoch, uint64_t stamp, std::string_view id,
                        std::string_view value, uint8_t flags, uint64_t content) {
    return Item{path, epoch, stamp, pool.blob(id, as_bytes(value), flags, content)}.hash();
  };
  const uint64_t base = hash({1, 2}, 3, 4, "id", "value", 0, 0);
  EXPECT_EQ(base, hash({1, 2}, 3, 4, "id", "other", 0, 0));
  EXPECT_NE(base, hash({2, 2}, 3, 4, "id", "value", 0, 0));
  EXPECT_NE(base, hash({1, 3}, 3, 4, "id", "value", 0, 0));
  EXPECT_NE(base, hash({1, 2}, 4, 4, "id", "value", 0, 0));
  EXPECT_NE(base, hash({1, 2}, 4, 3, "id", "value", 0, 0));
  EXPECT_NE(base, hash({1, 2}, 3, 5, "id", "value", 0, 0));
  EXPECT_NE(base, hash({1, 2}, 3, 4, "ie", "value", 0, 0));
  EXPECT_NE(base, hash({1, 2}, 3, 4, "id", "value", 1, 0));
  EXPECT_NE(base, hash({1, 2}, 3, 4, "id", "value", 0, 1));
}

// Replicas of different builds compare these: they are part of the wire.
TEST(Map, FingerprintsNeverChange) {
  Pool pool;
  EXPECT_EQ(hash_of("", 0), 5197578548964807871U);
  EXPECT_EQ(hash_of("shoal", 1), 16189736967498159925U);
  EXPECT_EQ(hash_of("twenty-five characters id", 2), 1971802560482805238U);
  EXPECT_EQ((Item{{1, 2}, 3, 4, pool.blob("id", as_bytes("value"), 5, 6)}.hash()),
            12542819538334809868U);
}

TEST(Map, AVisitorMayChangeTheMap) {
  Pool pool;
  Map map(pool);
  for (int i = 0; i < 100; ++i) {
    map.put(item(pool, Hashing{}.of("o", std::to_string(i)), std::to_string(i), 1));
  }
  int seen = 0;
  map.each({}, [&](const Item& item) {
    ++seen;
    map.erase(item.path, item.id());
  });
  EXPECT_EQ(seen, 100);
  EXPECT_TRUE(map.empty());
}

TEST(Map, PrefixesNestAndSplitAtTheHalves) {
  SeededRng rng(1);
  for (int i = 0; i < 1000; ++i) {
    const Path path{rng.next(), rng.next()};
    for (unsigned bits = 0; bits < kPathBits; bits += 4) {
      const Prefix prefix = Prefix::of(path, bits);
      const Prefix part = prefix.child(bits_at(path, bits, 4));
      ASSERT_EQ(part, Prefix::of(path, bits + 4));
      ASSERT_TRUE(prefix.contains(part) && part.contains(path) && !part.contains(prefix));
      ASSERT_FALSE(prefix.child(bits_at(path, bits, 4) ^ 1).contains(path));
    }
  }
}

}  // namespace
}  // namespace shoal::gossip::merkle
