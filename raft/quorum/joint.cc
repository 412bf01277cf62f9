#include "raft/quorum/joint.h"

#include <algorithm>

namespace shoal::raft {

std::vector<RaftId> JointConfig::ids() const {
  std::vector<RaftId> out;
  std::set_union(incoming_.voters().begin(), incoming_.voters().end(), outgoing_.voters().begin(),
                 outgoing_.voters().end(), std::back_inserter(out));
  return out;
}

Index JointConfig::committed_index(const std::function<Index(RaftId)>& acked) const {
  return std::min(incoming_.committed_index(acked), outgoing_.committed_index(acked));
}

VoteResult JointConfig::vote_result(const std::map<RaftId, bool>& votes) const {
  const VoteResult in = incoming_.vote_result(votes);
  const VoteResult out = outgoing_.vote_result(votes);
  if (in == VoteResult::kLost || out == VoteResult::kLost) return VoteResult::kLost;
  if (in == VoteResult::kWon && out == VoteResult::kWon) return VoteResult::kWon;
  return VoteResult::kPending;
}

}  // namespace shoal::raft
