#include "gossip/driver/rate_limit.h"

#include <algorithm>

#include "gossip/wire/hash.h"

namespace shoal::gossip {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// After this a bucket is full again, whatever it was.
constexpr Duration kRefill(kSecond* static_cast<int64_t>(RateLimit::kBurst /
                                                         RateLimit::kPerSecond));

}  // namespace

bool RateLimit::admit(const Ip& from, Instant now) {
  Bucket* own = find(from, now);
  if (own != nullptr) return take(*own, kPerSecond, kBurst, now);
  return take(shared_, kSharedPerSecond, kSharedPerSecond, now);
}

RateLimit::Bucket* RateLimit::find(const Ip& from, Instant now) {
  Hash hash;
  hash.add(seed_);
  for (const uint8_t byte : from.bytes()) hash.add(uint64_t{byte});
  const uint64_t start = hash.add(uint64_t{from.is_v4()}).value();
  Bucket* free = nullptr;
  for (size_t i = 0; i < kProbes; ++i) {
    Bucket& bucket = buckets_[(start + i) % kPlaces];
    if (bucket.used && bucket.ip == from) return &bucket;
    if (free == nullptr && (!bucket.used || now - bucket.since > kRefill)) free = &bucket;
  }
  if (free != nullptr) *free = {from, true, now, kBurst};
  return free;
}

bool RateLimit::take(Bucket& bucket, uint64_t per_second, uint64_t burst, Instant now) {
  const int64_t passed = std::clamp<int64_t>((now - bucket.since).count(), 0, 60 * kSecond);
  const auto earned = static_cast<uint64_t>(passed) * per_second / kSecond;
  if (earned > 0) {
    bucket.tokens = std::min(burst, bucket.tokens + earned);
    // The part of a token that has passed is not lost, unless the bucket is full anyway.
    const Duration counted(static_cast<int64_t>(earned * kSecond / per_second));
    bucket.since = bucket.tokens == burst ? now : bucket.since + counted;
  }
  if (bucket.tokens == 0) return false;
  --bucket.tokens;
  return true;
}

}  // namespace shoal::gossip
