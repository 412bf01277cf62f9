// Suspicion: who accuses a member, and since when. How many voices a verdict needs and how long the
// suspect has to speak up:
//
//   quorum  q = min(3, 1 + the others that could judge it)
//   time    T = base + per_decade * log10(n)     at q = 3; with fewer observers 1.5 T, with one 2 T
//
// The time is short as the suspect is told directly and its refutation travels as fast as the
// accusation. Without a quorum after `lapse` times T a suspicion lapses: who is dead is found
// again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/types/id.h"
#include "base/types/time.h"
#include "gossip/swim/config.h"
#include "gossip/wire/message.h"

namespace shoal::gossip {

class Suspicion {
 public:
  explicit Suspicion(Instant start) : start_(start) {}

  // True when `accuser` is a new voice. Beyond kMaxAccusers none is, unless it takes the place of
  // one that `counts` says no to.
  template <typename Counts>
  bool accuse(const NodeId& accuser, const Counts& counts) {
    if (std::find(accusers_.begin(), accusers_.end(), accuser) != accusers_.end()) return false;
    if (accusers_.size() < kMaxAccusers) {
      accusers_.push_back(accuser);
      return true;
    }
    const auto worthless = std::find_if_not(accusers_.begin(), accusers_.end(), counts);
    if (worthless == accusers_.end() || !counts(accuser)) return false;
    *worthless = accuser;
    return true;
  }
  const std::vector<NodeId>& accusers() const { return accusers_; }
  Instant start() const { return start_; }
  // The time that the holder of this suspicion could not listen does not count.
  void postpone(Duration by, Instant now) { start_ = std::min(start_ + by, std::max(start_, now)); }

 private:
  Instant start_;
  std::vector<NodeId> accusers_;
};

// From one probe of a node to its next.
Duration probe_interval(const SwimConfig& config, size_t nodes);
// Voices needed of `others` that could judge beside this node.
size_t quorum(const SwimConfig& config, size_t others);
// `nodes` in the cluster, this one included.
Duration suspicion_time(const SwimConfig& config, size_t nodes, size_t quorum);

}  // namespace shoal::gossip
