// Histogram: latencies in buckets whose width grows with the value (HdrHistogram's idea): 128 of
// them for each doubling, so a percentile is less than 1 % off. Nanoseconds.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal::bench {

class Histogram {
 public:
  void add(uint64_t value) {
    ++counts_[bucket_of(value)];
    ++total_;
    most_ = std::max(most_, value);
  }
  void merge(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    most_ = std::max(most_, other.most_);
  }
  uint64_t total() const { return total_; }
  uint64_t max() const { return most_; }
  // The smallest value that `part` (0 to 1) of all do not exceed; 0 when there is none.
  uint64_t percentile(double part) const {
    const auto wanted = static_cast<uint64_t>(part * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] != 0 && seen >= wanted) return std::min(highest_of(i), most_);
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 7;
  static constexpr uint64_t kPerDoubling = uint64_t{1} << kBits;

  // Exact below 2 * kPerDoubling; above, the leading bit and kBits more.
  static size_t bucket_of(uint64_t value) {
    if (value < kPerDoubling) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return (shift << kBits) + (value >> shift);
  }
  static uint64_t highest_of(size_t bucket) {
    if (bucket < 2 * kPerDoubling) return bucket;
    const auto shift = static_cast<unsigned>(bucket >> kBits) - 1;
    return ((kPerDoubling + (bucket & (kPerDoubling - 1)) + 1) << shift) - 1;
  }

  std::vector<uint64_t> counts_ = std::vector<uint64_t>((64 - kBits + 1) << kBits);
  uint64_t total_ = 0;
  uint64_t most_ = 0;
};

}  // namespace shoal::bench
