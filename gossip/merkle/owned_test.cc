#include "gossip/merkle/owned.h"

#include <gtest/gtest.h>

namespace shoal::gossip::merkle {
namespace {

using Outcome = OwnedMap::Outcome;

struct Row {
  const char* what;
  std::optional<Version> mine;
  Knowledge my;
  std::optional<Version> theirs;
  Knowledge their;
  Doing doing;
};

// Every case of the rule: who holds the place, who knows the owner, in which epoch, and whether the
// other's number is within what one already knows all of.
TEST(Judge, TruthTable) {
  constexpr Knowledge kNone{}, kTo5{true, 1, 5}, kTo9{true, 1, 9}, kNext{true, 2, 0};
  constexpr Version kLive4{4, false}, kLive7{7, false}, kDead7{7, true};
  const std::optional<Version> nothing;
  const Row rows[] = {
      {"owner unknown there", kLive4, kTo5, nothing, kNone, Doing::kPush},
      {"owner unknown there, tombstone", kDead7, kTo5, nothing, kNone, Doing::kPush},
      {"owner unknown here", nothing, kNone, kLive4, kTo5, Doing::kWant},
      {"owner unknown here, tombstone", nothing, kNone, kDead7, kTo5, Doing::kWant},
      {"they are an epoch ahead", kLive7, kTo5, kLive4, kNext, Doing::kWant},
      {"they are an epoch ahead, without it", kLive4, kTo9, nothing, kNext, Doing::kNothing},
      {"I am an epoch ahead", kLive4, kNext, kLive7, kTo5, Doing::kPush},
      {"I am an epoch ahead, without it", nothing, kNext, kLive7, kTo9, Doing::kNothing},
      {"the same", kLive7, kTo5, kLive7, kTo9, Doing::kNothing},
      {"theirs is higher", kLive4, kTo5, kLive7, kTo5, Doing::kWant},
      {"theirs is a higher tombstone", kLive4, kTo5, kDead7, kTo5, Doing::kWant},
      {"theirs is higher, yet old here: impossible", kLive4, kTo9, kLive7, kTo5, Doing::kNothing},
      {"mine is higher", kLive7, kTo5, kLive4, kTo5, Doing::kPush},
      {"mine is a higher tombstone", kDead7, kTo5, kLive4, kTo5, Doing::kPush},
      {"mine is higher, yet old there: impossible", kLive7, kTo5, kLive4, kTo9, Doing::kNothing},
      {"only theirs, news", nothing, kTo5, kLive7, kTo5, Doing::kWant},
      {"only theirs, news of a deletion", nothing, kTo5, kDead7, kTo5, Doing::kWant},
      {"only theirs, deleted here", nothing, kTo9, kLive7, kTo5, Doing::kNothing},
      {"only theirs, a tombstone reaped here", nothing, kTo9, kDead7, kTo5, Doing::kNothing},
      {"only mine, news", kLive7, kTo5, nothing, kTo5, Doing::kPush},
      {"only mine, news of a deletion", kDead7, kTo5, nothing, kTo5, Doing::kPush},
      {"only mine, deleted there", kLive7, kTo5, nothing, kTo9, Doing::kBury},
      {"only mine, a tombstone reaped there", kDead7, kTo5, nothing, kTo9, Doing::kNothing},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(judge(row.mine, row.my, row.theirs, row.their), row.doing) << row.what;
  }
}

class Owned : public testing::Test {
 protected:
  Entry event(uint64_t stamp, const std::string& key, bool deleted = false, uint64_t epoch = 1) {
    return {"o", epoch, stamp, deleted, false, key, Bytes{1}};
  }
  const Item* find(const std::string& key) {
    return map_.map().find(map_.place("o", key), "o" + key);
  }
  bool live(const std::string& key) {
    const Item* item = find(key);
    return item != nullptr && !item->marked();
  }

  Pool pool_;
  OwnedMap map_{pool_, 1, {.items = 10, .ahead = 3}};
};

TEST_F(Owned, EventsInOrderRaiseTheHead) {
  EXPECT_EQ(map_.apply(event(1, "a")), Outcome::kApplied);
  EXPECT_EQ(map_.apply(event(2, "b")), Outcome::kApplied);
  EXPECT_EQ(map_.head("o"), (Head{"o", 1, 2}));
  EXPECT_TRUE(live("a") && live("b"));
  EXPECT_EQ(map_.apply(event(3, "a", true)), Outcome::kApplied);
  EXPECT_EQ(find("a"), nullptr);  // nothing can come any more that it would be needed against
  EXPECT_EQ(map_.apply(event(1, "a")), Outcome::kOld);
  EXPECT_EQ(find("a"), nullptr);
  EXPECT_EQ(map_.map().size(), 2);
}

TEST_F(Owned, ATombstoneStaysWhileThereIsAHole) {
  map_.apply(event(1, "a"));
  EXPECT_EQ(map_.apply(event(4, "a", true)), Outcome::kApplied);
  EXPECT_EQ(map_.apply(event(3, "a")), Outcome::kNoted);
  EXPECT_FALSE(live("a"));
  EXPECT_NE(find("a"), nullptr);
  EXPECT_EQ(map_.apply(event(4, "a", true)), Outcome::kOld);
  EXPECT_EQ(map_.apply(event(2, "b")), Outcome::kApplied);
  EXPECT_EQ(map_.head("o"), (Head{"o", 1, 4}));
  EXPECT_EQ(find("a"), nullptr);
}

TEST_F(Owned, WhatIsBuriedDoesNotComeBack) {
  map_.apply(event(1, "a"));
  map_.apply(event(5, "b"));
  map_.bury(*find("b"), 7);
  EXPECT_FALSE(live("b"));
  EXPECT_EQ(map_.apply(event(6, "b")), Outcome::kNoted);
  EXPECT_FALSE(live("b"));
  EXPECT_EQ(map_.apply(event(8, "b")), Outcome::kApplied);
  EXPECT_TRUE(live("b"));
  map_.bury(*find("b"), 9);
  map_.raise({"o", 1, 9});
  EXPECT_EQ(find("b"), nullptr);
  map_.bury(*find("a"), 9);
  EXPECT_EQ(find("a"), nullptr);
}

// A buried key passed on says nothing of the event whose number it bears.
TEST_F(Owned, BurialsAreNotEvents) {
  OwnedMap other{pool_, 1};
  other.apply(event(2, "a"));
  other.bury(*other.find("o", "a"), 5);
  const Entry burial = other.entry_of(*other.find("o", "a"));
  map_.apply(event(2, "a"));
  EXPECT_EQ(map_.apply(burial), Outcome::kApplied);
  EXPECT_FALSE(live("a"));
  EXPECT_EQ(map_.apply(burial), Outcome::kOld);
  EXPECT_EQ(map_.apply(event(5, "b")), Outcome::kApplied);
  for (uint64_t i : {1, 3, 4}) map_.apply(event(i, "c"));
  EXPECT_EQ(map_.head("o"), (Head{"o", 1, 5}));
  EXPECT_TRUE(live("b"));
  Entry live_burial = burial;
  live_burial.deleted = false;
  EXPECT_EQ(map_.apply(live_burial), Outcome::kRefused);
}

TEST_F(Owned, AHigherEpochReplacesAllAndALowerIsOld) {
  map_.apply(event(1, "a"));
  map_.apply(event(4, "b"));
  EXPECT_EQ(map_.apply(event(2, "c", false, 2)), Outcome::kApplied);
  EXPECT_EQ(map_.head("o"), (Head{"o", 2, 0}));
  EXPECT_EQ(find("a"), nullptr);
  EXPECT_EQ(map_.apply(event(9, "a")), Outcome::kOld);
  // Numbers known of the lower epoch do not count in the higher.
  EXPECT_EQ(map_.apply(event(4, "b", false, 2)), Outcome::kApplied);
  map_.raise({"o", 1, 100});
  EXPECT_EQ(map_.head("o"), (Head{"o", 2, 0}));
  map_.raise({"o", 3, 6});
  EXPECT_EQ(map_.head("o"), (Head{"o", 3, 6}));
  EXPECT_EQ(map_.map().size(), 1);
  map_.forget("o");
  EXPECT_TRUE(map_.map().empty());
}

TEST_F(Owned, BeyondTheBoundsIsRefused) {
  for (uint64_t i = 1; i <= 9; ++i) map_.apply(event(i, "k" + std::to_string(i)));
  EXPECT_EQ(map_.apply(event(10, "one more")), Outcome::kRefused);
  EXPECT_EQ(map_.apply(event(10, "k1", true)), Outcome::kApplied);
  EXPECT_EQ(map_.apply(event(11, "one more")), Outcome::kApplied);
  for (uint64_t i = 20; i < 23; ++i) EXPECT_EQ(map_.apply(event(i, "k2")), Outcome::kApplied);
  EXPECT_EQ(map_.apply(event(24, "k2")), Outcome::kRefused);
  EXPECT_EQ(map_.apply({"too long", 1, 1, false, false, "k", {}}), Outcome::kRefused);
  EXPECT_EQ(map_.apply({"p", 1, 1, false, false, "", {}}), Outcome::kRefused);
  EXPECT_EQ(map_.apply({"p", 1, 1, false, false, std::string(255, 'k'), {}}), Outcome::kRefused);
}

}  // namespace
}  // namespace shoal::gossip::merkle
