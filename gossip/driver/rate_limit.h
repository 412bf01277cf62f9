// RateLimit: how many datagrams of one source address are worth opening. A token bucket each, in a
// fixed table: what a flood costs is one hash and one subtraction per packet, and no memory.
//
// Addresses that share a place share its bucket only when the one there is in use: a bucket that
// has filled up again says nothing and is taken over. So a flood from one address does not touch
// others, and one from very many (forged) addresses is held to the rate of the shared bucket.
#pragma once

#include <vector>

#include "base/types/ip.h"
#include "base/types/time.h"

namespace shoal::gossip {

class RateLimit {
 public:
  // A mass change of a cluster sends one node some hundreds per second of each peer.
  static constexpr uint64_t kPerSecond = 2000;
  static constexpr uint64_t kBurst = 4000;
  // All for whom there is no bucket of their own.
  static constexpr uint64_t kSharedPerSecond = 1000;
  static constexpr size_t kPlaces = 4096;
  // Places looked at for one address.
  static constexpr size_t kProbes = 4;

  // `seed`: of the places, so that nobody outside can aim at an address's.
  explicit RateLimit(uint64_t seed) : seed_(seed), buckets_(kPlaces) {}

  bool admit(const Ip& from, Instant now);

 private:
  struct Bucket {
    Ip ip;
    bool used = false;
    Instant since;
    uint64_t tokens = 0;  // at `since`
  };

  Bucket* find(const Ip& from, Instant now);
  static bool take(Bucket& bucket, uint64_t per_second, uint64_t burst, Instant now);

  uint64_t seed_;
  std::vector<Bucket> buckets_;
  Bucket shared_{{}, true, {}, kSharedPerSecond};
};

}  // namespace shoal::gossip
