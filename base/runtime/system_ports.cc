#include "base/runtime/system_ports.h"

#include <sodium.h>

#include "base/types/check.h"

namespace shoal {

Instant SystemClock::now() const {
  return {std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

WallTime SystemClock::wall() const {
  return {std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

uint64_t SystemRng::next() {
  static const bool ready = sodium_init() >= 0;
  SHOAL_CHECK(ready, "libsodium cannot start");
  uint64_t word = 0;
  randombytes_buf(&word, sizeof word);
  return word;
}

}  // namespace shoal
