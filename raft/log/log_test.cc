#include "raft/log/log.h"

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

std::vector<Entry> entries(Index first, std::vector<Term> terms) {
  std::vector<Entry> out;
  for (const Term term : terms) out.push_back({.term = term, .index = first++, .data = "x"});
  return out;
}

Log with(std::vector<Term> terms, Index commit = 0) {
  return Log(0, 0, entries(1, std::move(terms)), commit, 0);
}

TEST(Log, FollowerAppendTruncatesOnlyConflicts) {
  Log log = with({1, 1, 2, 2}, 1);
  EXPECT_EQ(log.append_after(4, 3, {}), Log::AppendResult::kMismatch);
  EXPECT_EQ(log.append_after(2, 1, entries(3, {2})), Log::AppendResult::kAppended);
  EXPECT_EQ(log.last_index(), 4U) << "an old, shorter append must not cut the tail";
  EXPECT_EQ(log.append_after(2, 1, entries(3, {3, 3, 3})), Log::AppendResult::kAppended);
  EXPECT_EQ(log.last_index(), 5U);
  EXPECT_EQ(log.last_term(), 3U);
  EXPECT_EQ(log.stable(), 2U) << "what replaced durable entries is not durable";
  EXPECT_EQ(log.append_after(0, 0, entries(1, {9})), Log::AppendResult::kRefused)
      << "never over what is committed";
  EXPECT_EQ(log.append_after(5, 3, entries(7, {3})), Log::AppendResult::kRefused) << "a gap";
}

TEST(Log, ConflictHintSkipsWholeTerms) {
  const Log log = with({1, 1, 2, 2, 5, 5, 5});
  EXPECT_EQ(log.find_conflict_by_term(7, 4), (std::pair<Index, Term>{4, 2}));
  EXPECT_EQ(log.find_conflict_by_term(9, 5), (std::pair<Index, Term>{7, 5}));
  EXPECT_EQ(log.find_conflict_by_term(7, 0), (std::pair<Index, Term>{0, 0}));
}

TEST(Log, UpToDateComparesTermThenLength) {
  const Log log = with({1, 3});
  EXPECT_TRUE(log.is_up_to_date(1, 4));
  EXPECT_TRUE(log.is_up_to_date(2, 3));
  EXPECT_FALSE(log.is_up_to_date(1, 3));
  EXPECT_FALSE(log.is_up_to_date(9, 2));
}

TEST(Log, AppliesOnlyWhatIsCommittedAndDurable) {
  Log log = with({1});
  log.append(entries(2, {1, 1}));
  EXPECT_TRUE(log.commit_to(3));
  EXPECT_EQ(log.next_committed(1000).size(), 1U);
  EXPECT_EQ(log.take_unstable().size(), 2U);
  EXPECT_FALSE(log.has_unstable());
  log.stable_to(3, 9);
  EXPECT_EQ(log.stable(), 1U) << "another entry's save";
  log.stable_to(3, 1);
  EXPECT_EQ(log.next_committed(1000).size(), 3U);
  EXPECT_EQ(log.next_committed(1).size(), 1U) << "one at least";
  log.applied_to(3);
  EXPECT_FALSE(log.has_next_committed());
  EXPECT_FALSE(log.commit_to(2)) << "commit never goes back";
}

TEST(Log, CompactsAndRestores) {
  Log log(0, 0, entries(1, {1, 2, 3}), 3, 3);
  const size_t full = log.bytes();
  log.compact(2);
  EXPECT_LT(log.bytes(), full);
  EXPECT_EQ(log.first_index(), 3U);
  EXPECT_EQ(log.term(2), Term{2});
  EXPECT_EQ(log.term(1), std::nullopt);
  EXPECT_TRUE(log.matches(3, 3));
  log.restore(10, 4);
  EXPECT_EQ(log.first_index(), 11U);
  EXPECT_EQ(log.last_index(), 10U);
  EXPECT_EQ(log.committed(), 10U);
  EXPECT_EQ(log.bytes(), 0U);
}

}  // namespace
}  // namespace shoal::raft
