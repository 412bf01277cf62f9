// Where an item is in a Merkle map: 128 bits, made of hashes of what identifies it, and prefixes of
// such paths, which name ranges of items. Also the 64-bit hashes that paths and fingerprints are
// made of. They are compared between nodes: what they yield must never change within a version of
// the wire. They are not for adversaries, which the seal keeps out.
#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace shoal::gossip::merkle {

// The final mix of splitmix64: every bit of the input changes half of the output.
constexpr uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// Eight bytes at a time, little endian on every machine; the length goes in too.
constexpr uint64_t hash_of(std::string_view text, uint64_t seed = 0) {
  uint64_t state = mix(seed + 0x9e3779b97f4a7c15ULL + text.size());
  for (size_t i = 0; i < text.size(); i += 8) {
    uint64_t word = 0;
    if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
      std::memcpy(&word, text.data() + i, std::min<size_t>(8, text.size() - i));
    } else {
      for (size_t j = i; j < text.size() && j < i + 8; ++j) {
        word |= static_cast<uint64_t>(static_cast<uint8_t>(text[j])) << ((j - i) * 8);
      }
    }
    state = mix(state ^ word) + 0x9e3779b97f4a7c15ULL;
  }
  return mix(state);
}

inline constexpr unsigned kPathBits = 128;

struct Path {
  uint64_t high = 0;
  uint64_t low = 0;

  friend constexpr auto operator<=>(const Path&, const Path&) = default;
};

// How many leading bits are the same.
constexpr unsigned common_bits(const Path& a, const Path& b) {
  if (a.high != b.high) return static_cast<unsigned>(std::countl_zero(a.high ^ b.high));
  return 64 + static_cast<unsigned>(std::countl_zero(a.low ^ b.low));
}

// `width` bits of a path beginning at bit `depth`; they do not straddle the halves.
constexpr unsigned bits_at(const Path& path, unsigned depth, unsigned width) {
  const uint64_t half = depth < 64 ? path.high : path.low;
  return static_cast<unsigned>(half >> (64 - depth % 64 - width)) & ((1U << width) - 1);
}

// All paths that begin with the first `bits` bits of `path`; its other bits are zero.
struct Prefix {
  Path path;
  uint8_t bits = 0;

  static constexpr Prefix of(const Path& path, unsigned bits) {
    const auto keep = [](uint64_t half, unsigned count) {
      return count == 0 ? 0 : half & (~uint64_t{0} << (64 - count));
    };
    return {{keep(path.high, bits < 64 ? bits : 64), keep(path.low, bits < 64 ? 0 : bits - 64)},
            static_cast<uint8_t>(bits)};
  }
  constexpr bool contains(const Path& other) const { return common_bits(path, other) >= bits; }
  constexpr bool contains(const Prefix& other) const {
    return other.bits >= bits && contains(other.path);
  }
  // One of the sixteen parts, by the next four bits; `bits` is at most 124.
  constexpr Prefix child(unsigned digit) const {
    Prefix part{path, static_cast<uint8_t>(bits + 4)};
    (bits < 64 ? part.path.high : part.path.low) |= static_cast<uint64_t>(digit)
                                                    << (60 - bits % 64);
    return part;
  }

  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

}  // namespace shoal::gossip::merkle
