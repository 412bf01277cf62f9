#include "raft/quorum/majority.h"

#include <algorithm>

namespace shoal::raft {

MajorityConfig::MajorityConfig(std::vector<RaftId> voters) : voters_(std::move(voters)) {
  std::sort(voters_.begin(), voters_.end());
  voters_.erase(std::unique(voters_.begin(), voters_.end()), voters_.end());
}

bool MajorityConfig::contains(RaftId id) const {
  return std::binary_search(voters_.begin(), voters_.end(), id);
}

Index MajorityConfig::committed_index(const std::function<Index(RaftId)>& acked) const {
  if (voters_.empty()) return UINT64_MAX;
  std::vector<Index> reached;
  reached.reserve(voters_.size());
  for (const RaftId id : voters_) reached.push_back(acked(id));
  // The quorum-th largest: that many voters have it or more.
  const auto nth = reached.begin() + static_cast<ptrdiff_t>(quorum() - 1);
  std::nth_element(reached.begin(), nth, reached.end(), std::greater<>());
  return *nth;
}

VoteResult MajorityConfig::vote_result(const std::map<RaftId, bool>& votes) const {
  if (voters_.empty()) return VoteResult::kWon;
  size_t yes = 0;
  size_t missing = 0;
  for (const RaftId id : voters_) {
    const auto vote = votes.find(id);
    if (vote == votes.end()) {
      ++missing;
    } else if (vote->second) {
      ++yes;
    }
  }
  if (yes >= quorum()) return VoteResult::kWon;
  return yes + missing >= quorum() ? VoteResult::kPending : VoteResult::kLost;
}

}  // namespace shoal::raft
