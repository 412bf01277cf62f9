// PathProbe: how large a datagram may be. It begins with what every path carries, and goes up to
// what the link carries when a ping of that size was answered. One that stays unanswered again and
// again, by a member that is alive otherwise, or a packet that the host itself calls too large, and
// it is back at the safe size for a while. Pure.
#pragma once

#include <functional>
#include <optional>

#include "base/ports/ports.h"
#include "base/types/id.h"
#include "base/types/time.h"

namespace shoal::gossip {

// Every IPv6 path carries 1,280 bytes, and hardly an IPv4 path less.
inline constexpr size_t kSafeDatagram = 1232;

class PathProbe {
 public:
  struct Ask {
    NodeId peer;
    uint32_t number = 0;
  };
  // Picks a live member to ask; says whether one still is live.
  using Pick = std::function<NodeId()>;
  using IsLive = std::function<bool(const NodeId&)>;

  // `most`: what the link carries.
  PathProbe(size_t most, Rng& rng, Instant now);

  // What a datagram may have now, sealed.
  size_t budget() const { return proven_ ? most_ : kSafeDatagram; }
  size_t most() const { return most_; }
  Instant next_deadline() const { return most_ > kSafeDatagram ? due_ : Instant::max(); }
  // Whom to send a ping as large as the link carries, now.
  std::optional<Ask> tick(Instant now, const Pick& pick, const IsLive& is_live);
  void acked(uint32_t number, Instant now);
  void too_large(Instant now);

  // A packet of full size each minute is 25 bytes in a second.
  static constexpr Duration kInterval = std::chrono::seconds(60);
  static constexpr Duration kPatience = std::chrono::seconds(1);
  static constexpr Duration kRest = std::chrono::minutes(10);
  static constexpr size_t kTries = 3;

 private:
  void fall_back(Instant now);

  size_t most_;
  Rng& rng_;
  Instant due_;
  bool proven_ = false;
  std::optional<Ask> asked_;
  size_t tries_ = 0;
};

}  // namespace shoal::gossip
