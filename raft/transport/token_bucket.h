// TokenBucket: how much may be sent by now, at a rate and with bursts. Whoever takes more than
// there is waits for the rest before it goes on. Pure; one owner.
#pragma once

#include <algorithm>

#include "base/types/time.h"

namespace shoal::raft {

class TokenBucket {
 public:
  TokenBucket(uint64_t per_second, uint64_t burst)
      : per_second_(static_cast<double>(per_second)), burst_(static_cast<double>(burst)) {}

  // How long to wait before these may go; they are taken already.
  Duration take(Instant now, uint64_t bytes) {
    if (!started_) {
      started_ = true;
      tokens_ = burst_;
    } else if (now > filled_) {
      const std::chrono::duration<double> passed = now - filled_;
      tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
    }
    filled_ = std::max(filled_, now);
    tokens_ -= static_cast<double>(bytes);
    if (tokens_ >= 0) return Duration::zero();
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(-tokens_ / per_second_));
  }

 private:
  const double per_second_;
  const double burst_;
  double tokens_ = 0;
  bool started_ = false;
  Instant filled_;
};

}  // namespace shoal::raft
