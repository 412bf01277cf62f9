// Window: which numbers of a rising sequence were seen, for the last kSize of them. What is older
// counts as seen. Numbers start at 1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace shoal::gossip {

template <size_t kSize>
class Window {
 public:
  static_assert(kSize % 64 == 0);

  bool seen(uint64_t number) const {
    if (number > top_) return false;
    return top_ - number >= kSize || (word(number) >> (number % 64) & 1) != 0;
  }
  void mark(uint64_t number) {
    if (number > top_) {
      // Words come round again: those between hold numbers that are too old now.
      const uint64_t steps = std::min<uint64_t>(number / 64 - top_ / 64, kWords);
      for (uint64_t i = 1; i <= steps; ++i) words_[(top_ / 64 + i) % kWords] = 0;
      top_ = number;
    }
    words_[number / 64 % kWords] |= uint64_t{1} << (number % 64);
  }

 private:
  static constexpr size_t kWords = kSize / 64 + 1;

  uint64_t word(uint64_t number) const { return words_[number / 64 % kWords]; }

  std::array<uint64_t, kWords> words_{};
  uint64_t top_ = 0;
};

}  // namespace shoal::gossip
