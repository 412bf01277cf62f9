#include "gossip/swim/suspicion.h"

#include <cmath>

namespace shoal::gossip {

Suspicion::Suspicion(const NodeId& accuser, Instant start, Duration min, Duration max,
                     size_t expected)
    : start_(start), min_(min), max_(max), expected_(expected), accusers_{accuser} {}

bool Suspicion::confirm(const NodeId& accuser) {
  if (accusers_.size() > expected_) return false;
  return accusers_.insert(accuser).second;
}

Instant Suspicion::deadline() const {
  if (expected_ == 0) return start_ + min_;
  const double confirmations = static_cast<double>(accusers_.size() - 1);
  const double share = std::log(confirmations + 1) / std::log(static_cast<double>(expected_) + 1);
  const auto span = static_cast<double>((max_ - min_).count());
  return start_ + max_ - Duration(static_cast<int64_t>(span * share));
}

}  // namespace shoal::gossip
