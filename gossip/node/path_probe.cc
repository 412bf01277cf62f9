#include "gossip/node/path_probe.h"

#include <algorithm>

namespace shoal::gossip {

PathProbe::PathProbe(size_t most, Rng& rng, Instant now)
    : most_(std::max(most, kSafeDatagram)), rng_(rng), due_(now) {}

std::optional<PathProbe::Ask> PathProbe::tick(Instant now, const Pick& pick,
                                              const IsLive& is_live) {
  if (now < next_deadline()) return std::nullopt;
  if (asked_ && !is_live(asked_->peer)) asked_.reset();  // it was the member, not the path
  if (asked_ && tries_ >= kTries) {
    fall_back(now);
    return std::nullopt;
  }
  if (!asked_) {
    tries_ = 0;
    asked_ = Ask{pick(), 0};
    if (asked_->peer.empty()) {
      asked_.reset();
      due_ = now + kPatience;
      return std::nullopt;
    }
  }
  ++tries_;
  asked_->number = static_cast<uint32_t>(rng_.next());
  due_ = now + kPatience;
  return asked_;
}

void PathProbe::acked(uint32_t number, Instant now) {
  if (!asked_ || asked_->number != number) return;
  asked_.reset();
  proven_ = true;
  due_ = now + kInterval;
}

void PathProbe::too_large(Instant now) { fall_back(now); }

void PathProbe::fall_back(Instant now) {
  asked_.reset();
  proven_ = false;
  due_ = now + kRest;
}

}  // namespace shoal::gossip
