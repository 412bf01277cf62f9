#include "tests/lin/checker.h"

#include <gtest/gtest.h>

namespace shoal::lin {
namespace {

constexpr int64_t kNever = -1;

Operation op(Kind kind, int64_t call, int64_t given, bool ok = true) {
  Operation out{.kind = kind, .key = "k", .call = call, .ok = ok};
  if (given != kNever) out.given = given;
  return out;
}
Operation write(Value in, int64_t call, int64_t given, bool ok = true) {
  Operation out = op(Kind::kWrite, call, given, ok);
  out.in = std::move(in);
  return out;
}
Operation create(Value in, int64_t call, int64_t given, bool ok = true) {
  Operation out = write(std::move(in), call, given, ok);
  out.kind = Kind::kCreate;
  return out;
}
Operation remove(int64_t call, int64_t given, bool ok = true) {
  return op(Kind::kRemove, call, given, ok);
}
Operation read(Value told, int64_t call, int64_t given) {
  Operation out = op(Kind::kRead, call, given);
  out.out = std::move(told);
  return out;
}
Operation cas(Value expect, Value in, int64_t call, int64_t given, bool ok = true) {
  Operation out = write(std::move(in), call, given, ok);
  out.kind = Kind::kCas;
  out.expect = std::move(expect);
  return out;
}

bool good(const History& history) { return check(history).judgement == Judgement::kLinearizable; }

TEST(LinChecker, NothingIsLinearizable) { EXPECT_TRUE(good({})); }

TEST(LinChecker, OneAfterTheOther) {
  EXPECT_TRUE(good({read({}, 1, 2), write("a", 3, 4), read("a", 5, 6)}));
  EXPECT_FALSE(good({write("a", 1, 2), read({}, 3, 4)}));
  EXPECT_FALSE(good({write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)}));
  EXPECT_FALSE(good({read("a", 1, 2), write("a", 3, 4)})) << "read before it was written";
}

TEST(LinChecker, ConcurrentOnesMayGoEitherWay) {
  EXPECT_TRUE(good({write("a", 1, 10), read({}, 2, 3), read("a", 4, 5)}));
  EXPECT_TRUE(good({write("a", 1, 10), write("b", 2, 9), read("a", 11, 12)}));
  EXPECT_TRUE(good({write("a", 1, 10), write("b", 2, 9), read("b", 11, 12)}));
  EXPECT_FALSE(good({write("a", 1, 10), read("a", 2, 3), read({}, 4, 5)})) << "back in time";
  EXPECT_FALSE(good({write("a", 1, 10), write("b", 2, 9), read("a", 11, 12), read("b", 13, 14)}));
}

TEST(LinChecker, TheSameMomentIsConcurrent) {
  EXPECT_TRUE(good({write("a", 1, 5), read({}, 5, 6)}));
  EXPECT_FALSE(good({write("a", 1, 4), read({}, 5, 6)}));
}

TEST(LinChecker, CreateAndRemoveTellWhatWasThere) {
  EXPECT_TRUE(good({create("a", 1, 2), create("b", 3, 4, false), remove(5, 6), remove(7, 8, false),
                    create("c", 9, 10), read("c", 11, 12)}));
  EXPECT_FALSE(good({create("a", 1, 2), create("b", 3, 4)})) << "an address given twice";
  EXPECT_FALSE(good({create("a", 1, 2, false)}));
  EXPECT_FALSE(good({remove(1, 2)}));
  EXPECT_FALSE(good({create("a", 1, 2), remove(3, 4, false)}));
  EXPECT_TRUE(good({create("a", 1, 9), create("b", 2, 8, false)}));
  EXPECT_FALSE(good({create("a", 1, 9), create("b", 2, 8)}));
}

TEST(LinChecker, CompareAndSet) {
  EXPECT_TRUE(good({cas({}, "a", 1, 2), cas("a", "b", 3, 4), cas("a", "c", 5, 6, false),
                    read("b", 7, 8), cas("b", {}, 9, 10), read({}, 11, 12)}));
  EXPECT_FALSE(good({write("a", 1, 2), cas("a", "b", 3, 4, false)}));
  EXPECT_FALSE(good({write("a", 1, 2), cas("a", "b", 3, 10), cas("a", "c", 3, 10)}))
      << "both cannot have found it";
}

TEST(LinChecker, WhatIsUnknownMayHappenLateOrNever) {
  EXPECT_TRUE(good({write("a", 1, kNever), read({}, 2, 3), read("a", 4, 5)}));
  EXPECT_TRUE(good({write("a", 1, kNever), read({}, 2, 3), read({}, 100, 101)}));
  EXPECT_FALSE(good({write("a", 1, kNever), read("a", 2, 3), read({}, 4, 5)})) << "only once";
  EXPECT_FALSE(good({read("a", 1, 2), write("a", 3, kNever)})) << "not before its call";
  EXPECT_FALSE(good({create("a", 1, 2), create("b", 3, kNever), read("b", 4, 5)}));
  EXPECT_TRUE(good({create("a", 1, 2), create("b", 3, kNever), remove(4, 5), read("b", 6, 7)}));
  EXPECT_TRUE(good({create("a", 1, 2), remove(3, kNever), create("b", 10, 11)}));
  EXPECT_FALSE(
      good({create("a", 1, 2), remove(3, kNever), create("b", 10, 11), create("c", 12, 13)}));
  EXPECT_TRUE(good({create("a", 1, 2), remove(3, kNever), remove(4, kNever), create("b", 10, 11),
                    create("c", 12, 13)}));
}

TEST(LinChecker, WhatIsRefusedHasNoEffect) {
  EXPECT_TRUE(good({write("a", 1, 2, false), read({}, 3, 4)}));
  EXPECT_FALSE(good({write("a", 1, 2, false), read("a", 3, 4)}));
  Operation told_nothing = read("whatever", 5, 6);
  told_nothing.ok = false;
  EXPECT_TRUE(good({told_nothing, read("whatever", 1, kNever)}));
}

TEST(LinChecker, KeysAreApart) {
  Operation other = read({}, 3, 4);
  other.key = "other";
  EXPECT_TRUE(good({write("a", 1, 2), other}));
  other.out = "a";
  const Verdict verdict = check({write("a", 1, 2), other, read("b", 5, 6)});
  EXPECT_EQ(verdict.judgement, Judgement::kNotLinearizable);
  EXPECT_EQ(verdict.key, "k") << "the first of the wrong ones";
}

TEST(LinChecker, SaysWhatDoesNotFit) {
  const History history = {write("a", 1, 2), write("b", 3, 4), read("b", 5, 9), read("a", 6, 8)};
  const Verdict verdict = check(history);
  ASSERT_EQ(verdict.judgement, Judgement::kNotLinearizable);
  EXPECT_EQ(verdict.prefix, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(verdict.stuck, std::vector<size_t>{3});
  EXPECT_EQ(verdict.value, "b");
  const std::string text = explain(history, verdict, 2);
  EXPECT_NE(text.find("not linearizable: key k (4 operations"), std::string::npos) << text;
  EXPECT_NE(text.find("has 3 operations, and ends so:"), std::string::npos) << text;
  EXPECT_NE(text.find("client 0 read k = \"a\" [6, 8]"), std::string::npos) << text;
  EXPECT_EQ(text.find("write k \"a\""), std::string::npos) << "only the last two: " << text;
}

TEST(LinChecker, GivesUpAtItsBound) {
  History history;
  for (int i = 0; i < 12; ++i) history.push_back(write(std::to_string(i), 1, 100));
  for (int i = 0; i < 12; ++i) history.push_back(read(std::to_string(i), 101 + i, 101 + i));
  EXPECT_EQ(check(history, {.max_states = 50}).judgement, Judgement::kUndecided);
  EXPECT_EQ(check(history).judgement, Judgement::kNotLinearizable);
}

// Two hundred removes that nobody heard of again, and a history that is wrong for another reason:
// without the rule of twins there would be 2^200 subsets to try.
TEST(LinChecker, ManyUnknownOnesAreNotManyWays) {
  History history;
  for (int i = 0; i < 200; ++i) history.push_back(remove(i, kNever));
  for (int i = 0; i < 200; ++i) {
    history.push_back(create("v" + std::to_string(i), 1000 + 10 * i, 1001 + 10 * i));
  }
  EXPECT_TRUE(good(history));
  history.push_back(read("never", 9000, 9001));
  const Verdict verdict = check(history);
  EXPECT_EQ(verdict.judgement, Judgement::kNotLinearizable);
  EXPECT_LT(verdict.states, 100'000U);
}

}  // namespace
}  // namespace shoal::lin
