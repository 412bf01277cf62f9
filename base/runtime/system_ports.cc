#include "base/runtime/system_ports.h"

#include <sodium.h>

#include <array>
#include <utility>

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
  // Each draw from the kernel is a system call; a word is given once and forgotten.
  struct Drawn {
    std::array<uint64_t, 64> words{};
    size_t left = 0;
  };
  static thread_local Drawn drawn;
  if (drawn.left == 0) {
    randombytes_buf(drawn.words.data(), sizeof drawn.words);
    drawn.left = drawn.words.size();
  }
  return std::exchange(drawn.words[--drawn.left], 0);
}

}  // namespace shoal
