#include "raft/quorum/joint.h"

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

// Every pair of voter sets out of three members, by bits.
std::vector<RaftId> of_bits(unsigned bits) {
  std::vector<RaftId> out;
  for (RaftId id = 1; id <= 3; ++id) {
    if ((bits >> (id - 1) & 1) != 0) out.push_back(id);
  }
  return out;
}

size_t count(const std::vector<RaftId>& voters, const std::map<RaftId, Index>& acked, Index at) {
  size_t n = 0;
  for (const RaftId id : voters) n += acked.at(id) >= at ? 1 : 0;
  return n;
}

TEST(JointConfig, CommitsWhatAMajorityOfEachHalfHas) {
  for (unsigned in = 1; in < 8; ++in) {
    for (unsigned out = 0; out < 8; ++out) {
      const JointConfig config(MajorityConfig(of_bits(in)), MajorityConfig(of_bits(out)));
      for (Index combination = 0; combination < 64; ++combination) {
        const std::map<RaftId, Index> acked{
            {1, combination & 3}, {2, combination >> 2 & 3}, {3, combination >> 4}};
        const Index index = config.committed_index([&](RaftId id) { return acked.at(id); });
        for (Index at = 1; at <= 3; ++at) {
          const bool both = count(of_bits(in), acked, at) * 2 > of_bits(in).size() &&
                            (out == 0 || count(of_bits(out), acked, at) * 2 > of_bits(out).size());
          EXPECT_EQ(index >= at, both) << in << " " << out << " " << combination;
        }
      }
    }
  }
}

TEST(JointConfig, OneHalfCanLoseButNotWinTheVote) {
  const JointConfig config(MajorityConfig({1, 4, 5}), MajorityConfig({1, 2, 3}));
  EXPECT_EQ(config.vote_result({{1, true}, {4, true}}), VoteResult::kPending);
  EXPECT_EQ(config.vote_result({{1, true}, {4, true}, {2, true}}), VoteResult::kWon);
  EXPECT_EQ(config.vote_result({{1, true}, {4, true}, {2, false}, {3, false}}), VoteResult::kLost);
  EXPECT_EQ(config.ids(), (std::vector<RaftId>{1, 2, 3, 4, 5}));
  EXPECT_TRUE(config.contains(2));
  EXPECT_TRUE(config.joint());
}

}  // namespace
}  // namespace shoal::raft
