// Hash: 64 bits for comparing replicas (digests). FNV-1a with a final mix; not for adversaries,
// which the seal keeps out.
#pragma once

#include <cstdint>
#include <string_view>

namespace shoal::gossip {

class Hash {
 public:
  Hash& add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<uint8_t>(number >> shift));
    return *this;
  }
  // The length goes in too, so that ("ab", "c") and ("a", "bc") differ.
  Hash& add(std::string_view text) {
    for (const char c : text) byte(static_cast<uint8_t>(c));
    return add(text.size());
  }
  uint64_t value() const {
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

 private:
  void byte(uint8_t byte) { state_ = (state_ ^ byte) * 0x100000001b3ULL; }

  uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace shoal::gossip
