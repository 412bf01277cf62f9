// MajorityConfig: a set of voters, and what a majority of them has agreed on.
//
// An empty set agrees to everything, so that it is the neutral half of a joint configuration
// (thesis section 4.3): the joint answer is the smaller of both halves.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "raft/types.h"

namespace shoal::raft {

enum class VoteResult { kPending, kWon, kLost };

class MajorityConfig {
 public:
  MajorityConfig() = default;
  explicit MajorityConfig(std::vector<RaftId> voters);  // duplicates are dropped

  bool contains(RaftId id) const;
  const std::vector<RaftId>& voters() const { return voters_; }  // sorted
  size_t quorum() const { return voters_.size() / 2 + 1; }

  // The largest index that a majority has reached; UINT64_MAX for an empty set. `acked` gives what
  // one voter has reached (0 when nothing is known).
  Index committed_index(const std::function<Index(RaftId)>& acked) const;
  // The outcome of the votes so far; who is absent from `votes` has not answered.
  VoteResult vote_result(const std::map<RaftId, bool>& votes) const;

 private:
  std::vector<RaftId> voters_;
};

}  // namespace shoal::raft
