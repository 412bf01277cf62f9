#include "base/types/deadlines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace shoal {
namespace {

TEST(Deadlines, TheEarliestFirst) {
  Deadlines<std::string> deadlines;
  EXPECT_EQ(deadlines.next(), Instant::max());
  deadlines.set("b", {20});
  deadlines.set("a", {30});
  EXPECT_FALSE(deadlines.add("a", {1}));
  EXPECT_TRUE(deadlines.add("c", {20}));
  EXPECT_EQ(deadlines.next(), Instant{20});
  deadlines.set("a", {10});  // moved
  deadlines.erase("nobody");
  EXPECT_EQ(deadlines.take_due({9}).size(), 0U);
  EXPECT_EQ(deadlines.take_due({20}), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(deadlines.empty());
}

// Against the slow way.
TEST(Deadlines, AnyOrderOfDoingsEndsAsTheModel) {
  std::mt19937_64 rng(3);
  Deadlines<uint64_t> deadlines;
  std::map<uint64_t, Instant> model;
  for (int64_t now = 0; now < 20'000; ++now) {
    const uint64_t key = rng() % 50;
    const Instant at{now + static_cast<int64_t>(rng() % 100)};
    if (rng() % 3 == 0) {
      deadlines.erase(key);
      model.erase(key);
    } else if (rng() % 2 == 0) {
      EXPECT_EQ(deadlines.add(key, at), model.try_emplace(key, at).second);
    } else {
      deadlines.set(key, at);
      model[key] = at;
    }
    Instant next = Instant::max();
    for (const auto& [known, due] : model) next = std::min(next, due);
    ASSERT_EQ(deadlines.next(), next);
    for (const uint64_t due : deadlines.take_due({now})) {
      ASSERT_LE(model.at(due), Instant{now});
      model.erase(due);
    }
    ASSERT_EQ(deadlines.size(), model.size());
  }
}

}  // namespace
}  // namespace shoal
