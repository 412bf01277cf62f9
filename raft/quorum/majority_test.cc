#include "raft/quorum/majority.h"

#include <gtest/gtest.h>

#include "base/ports/ports.h"

namespace shoal::raft {
namespace {

// The definition, tried index by index: how many voters have at least it.
Index slow_committed_index(const std::vector<RaftId>& voters,
                           const std::map<RaftId, Index>& acked) {
  Index best = 0;
  for (const auto& [unused, candidate] : acked) {
    size_t having = 0;
    for (const RaftId id : voters) {
      const auto found = acked.find(id);
      if (found != acked.end() && found->second >= candidate) ++having;
    }
    if (having * 2 > voters.size()) best = std::max(best, candidate);
  }
  return best;
}

VoteResult slow_vote_result(const std::vector<RaftId>& voters,
                            const std::map<RaftId, bool>& votes) {
  // Try every completion of the missing votes.
  std::vector<RaftId> missing;
  size_t yes = 0;
  for (const RaftId id : voters) {
    const auto vote = votes.find(id);
    if (vote == votes.end()) missing.push_back(id);
    if (vote != votes.end() && vote->second) ++yes;
  }
  bool can_win = false;
  bool can_lose = false;
  for (uint64_t mask = 0; mask < (1U << missing.size()); ++mask) {
    const size_t total = yes + static_cast<size_t>(__builtin_popcountll(mask));
    (total * 2 > voters.size() ? can_win : can_lose) = true;
  }
  if (can_win && can_lose) return VoteResult::kPending;
  return can_win ? VoteResult::kWon : VoteResult::kLost;
}

TEST(Majority, AgreesWithTheDefinition) {
  SeededRng rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::vector<RaftId> voters;
    for (uint64_t i = rng.below(7) + 1; i > 0; --i) voters.push_back(rng.below(9) + 1);
    const MajorityConfig config(voters);
    std::map<RaftId, Index> acked;
    std::map<RaftId, bool> votes;
    for (RaftId id = 1; id < 10; ++id) {
      if (rng.below(3) != 0) acked[id] = rng.below(12);
      if (rng.below(3) != 0) votes[id] = rng.below(2) == 0;
    }
    const auto lookup = [&](RaftId id) {
      const auto found = acked.find(id);
      return found == acked.end() ? Index{0} : found->second;
    };
    ASSERT_EQ(config.committed_index(lookup), slow_committed_index(config.voters(), acked));
    ASSERT_EQ(config.vote_result(votes), slow_vote_result(config.voters(), votes));
  }
}

TEST(Majority, EmptySetIsNeutralForJointConfigurations) {
  const MajorityConfig config;
  EXPECT_EQ(config.committed_index([](RaftId) { return Index{3}; }), UINT64_MAX);
  EXPECT_EQ(config.vote_result({}), VoteResult::kWon);
}

TEST(Majority, DropsDuplicates) {
  const MajorityConfig config({3, 1, 3, 2, 1});
  EXPECT_EQ(config.voters(), (std::vector<RaftId>{1, 2, 3}));
  EXPECT_EQ(config.quorum(), 2U);
  EXPECT_TRUE(config.contains(2));
  EXPECT_FALSE(config.contains(4));
}

}  // namespace
}  // namespace shoal::raft
