// RateLimit: a token bucket: `burst` at once, `per_second` in the long run.
#pragma once

#include <algorithm>

#include "base/types/time.h"

namespace shoal {

class RateLimit {
 public:
  RateLimit(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  bool allow(Instant now) {
    if (now > last_) {
      const double passed = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(burst_, tokens_ + passed * per_second_);
      last_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;
  Instant last_;
};

}  // namespace shoal
