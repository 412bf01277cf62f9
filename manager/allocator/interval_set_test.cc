#include "manager/allocator/interval_set.h"

#include <gtest/gtest.h>

#include <bitset>

#include "base/ports/ports.h"

namespace shoal::manager {
namespace {

using Number = IntervalSet::Number;
constexpr Number kEnd = ~Number{0};

TEST(IntervalSetTest, NeighboursMerge) {
  IntervalSet set;
  set.insert(5);
  set.insert(7);
  EXPECT_EQ(set.interval_count(), 2U);
  set.insert(6);
  EXPECT_EQ(set.interval_count(), 1U);
  EXPECT_EQ(set.next_missing(5, 100), Number{8});
}

TEST(IntervalSetTest, ErasingTheMiddleSplits) {
  IntervalSet set;
  set.insert(0, 10);
  set.erase(4, 6);
  EXPECT_EQ(set.interval_count(), 2U);
  EXPECT_TRUE(set.contains(3));
  EXPECT_FALSE(set.contains(4));
  EXPECT_FALSE(set.contains(6));
  EXPECT_TRUE(set.contains(7));
}

TEST(IntervalSetTest, TheEndsOfTheSpace) {
  IntervalSet set;
  set.insert(kEnd);
  set.insert(0);
  set.insert(kEnd - 1);
  EXPECT_EQ(set.interval_count(), 2U);
  EXPECT_EQ(set.next_missing(kEnd - 1, kEnd), std::nullopt);
  set.insert(0, kEnd);
  EXPECT_EQ(set.interval_count(), 1U);
  EXPECT_EQ(set.next_missing(0, kEnd), std::nullopt);
  set.erase(kEnd);
  EXPECT_EQ(set.next_missing(7, kEnd), kEnd);
  set.erase(0, kEnd);
  EXPECT_EQ(set.interval_count(), 0U);
}

// Against a bitmap, over a space small enough that intervals meet all the time.
TEST(IntervalSetTest, AgreesWithABitmap) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SeededRng rng(seed);
    IntervalSet set;
    std::bitset<64> oracle;
    for (int step = 0; step < 200; ++step) {
      const uint64_t first = rng.below(64);
      const uint64_t last = first + rng.below(std::min<uint64_t>(64 - first, 6));
      const bool add = rng.below(2) == 0;
      add ? set.insert(first, last) : set.erase(first, last);
      for (uint64_t i = first; i <= last; ++i) oracle[i] = add;

      size_t runs = 0;
      std::optional<Number> missing;
      for (uint64_t i = 0; i < 64; ++i) {
        ASSERT_EQ(set.contains(i), oracle[i]) << "seed " << seed << " step " << step;
        if (oracle[i] && (i == 0 || !oracle[i - 1])) ++runs;
        if (!missing && i >= first && !oracle[i]) missing = i;
      }
      ASSERT_EQ(set.interval_count(), runs) << "seed " << seed;
      ASSERT_EQ(set.next_missing(first, 63), missing) << "seed " << seed;
      const auto hit = set.overlapping(first, last);
      ASSERT_EQ(hit.has_value(), [&] {
        for (uint64_t i = first; i <= last; ++i) {
          if (oracle[i]) return true;
        }
        return false;
      }());
    }
  }
}

}  // namespace
}  // namespace shoal::manager
