// Distinct random picks, at the cost of what is picked and not of what there is.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "base/ports/ports.h"

namespace shoal {

// `count` distinct numbers below `size`; all of them, shuffled, when there are no more.
inline std::vector<size_t> sample_indices(Rng& rng, size_t size, size_t count) {
  // A partial Fisher-Yates whose array is only what was moved.
  std::vector<size_t> picked;
  std::map<size_t, size_t> moved;
  for (size_t i = 0; i < std::min(count, size); ++i) {
    const size_t j = i + rng.below(size - i);
    const auto at = [&moved](size_t index) {
      const auto it = moved.find(index);
      return it == moved.end() ? index : it->second;
    };
    picked.push_back(at(j));
    moved[j] = at(i);
  }
  return picked;
}

}  // namespace shoal
