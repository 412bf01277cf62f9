// JointConfig: the voters during a change of many members at once (thesis section 4.3). Both halves
// must agree: the outgoing voters, who decided until now, and the incoming ones, who decide from
// then on. Without an outgoing half it is the incoming majority alone.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "raft/quorum/majority.h"

namespace shoal::raft {

class JointConfig {
 public:
  JointConfig() = default;
  explicit JointConfig(MajorityConfig incoming, MajorityConfig outgoing = {})
      : incoming_(std::move(incoming)), outgoing_(std::move(outgoing)) {}

  const MajorityConfig& incoming() const { return incoming_; }
  const MajorityConfig& outgoing() const { return outgoing_; }
  bool joint() const { return !outgoing_.voters().empty(); }
  // Whether `id` votes in either half.
  bool contains(RaftId id) const { return incoming_.contains(id) || outgoing_.contains(id); }
  std::vector<RaftId> ids() const;  // of both halves, sorted, each once

  // As of MajorityConfig: what both halves have reached.
  Index committed_index(const std::function<Index(RaftId)>& acked) const;
  // Won when both halves won, lost when one of them lost.
  VoteResult vote_result(const std::map<RaftId, bool>& votes) const;

 private:
  MajorityConfig incoming_;
  MajorityConfig outgoing_;
};

}  // namespace shoal::raft
