// TokenBucket: so many per second, and so many at once after a pause. It may be overdrawn: who
// takes more than there is waits the longer for the next.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/types/time.h"

namespace shoal::gossip {

class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_nanosecond_(per_second / 1e9), burst_(burst), tokens_(burst) {}

  void refill(Instant now) {
    if (now <= at_) return;
    const auto passed = static_cast<double>((now - at_).count());
    tokens_ = std::min(burst_, tokens_ + passed * per_nanosecond_);
    at_ = now;
  }
  bool empty() const { return tokens_ <= 0; }
  void take(double tokens) { tokens_ -= tokens; }
  // When it will not be empty.
  Instant ready() const {
    if (!empty()) return at_;
    return at_ + Duration(static_cast<int64_t>(std::floor(-tokens_ / per_nanosecond_)) + 1);
  }

 private:
  double per_nanosecond_;
  double burst_;
  double tokens_;
  Instant at_;
};

}  // namespace shoal::gossip
