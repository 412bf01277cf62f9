// Which seeds a property runs with: SHOAL_SEED=N that one alone, SHOAL_SEEDS=N the first N.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/types/check.h"

namespace shoal {

struct Seeds {
  uint64_t first = 0;
  uint64_t last = 0;  // exclusive
};

inline Seeds seeds(uint64_t usual_count) {
  if (const char* one = std::getenv("SHOAL_SEED")) {
    const uint64_t seed = std::stoull(one);
    return {seed, seed + 1};
  }
  const char* count = std::getenv("SHOAL_SEEDS");
  const Seeds result{0, count != nullptr ? std::stoull(count) : usual_count};
  SHOAL_CHECK(result.first < result.last, "a property that runs with no seed proves nothing");
  return result;
}

}  // namespace shoal
