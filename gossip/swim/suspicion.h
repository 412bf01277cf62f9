// Suspicion: the time a suspect has to refute, shrinking as others confirm (Lifeguard, section
// IV.B).
//
//   timeout(c) = max - (max - min) * log(c + 1) / log(k + 1)     c confirmations of k expected
#pragma once

#include <cstddef>
#include <set>

#include "base/types/id.h"
#include "base/types/time.h"

namespace shoal::gossip {

class Suspicion {
 public:
  // `expected` is k; with 0 the timeout is `min` from the start.
  Suspicion(const NodeId& accuser, Instant start, Duration min, Duration max, size_t expected);

  // True when `accuser` is a new, counted voice: worth telling others.
  bool confirm(const NodeId& accuser);
  Instant deadline() const;
  // The time that the holder of this suspicion could not listen does not count.
  void postpone(Duration by) { start_ = start_ + by; }

 private:
  Instant start_;
  Duration min_;
  Duration max_;
  size_t expected_;
  std::set<NodeId> accusers_;  // at most expected_ + 1
};

}  // namespace shoal::gossip
