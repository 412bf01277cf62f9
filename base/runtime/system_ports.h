// The system's Clock and Rng.
#pragma once

#include "base/ports/ports.h"

namespace shoal {

class SystemClock final : public Clock {
 public:
  Instant now() const override;  // CLOCK_MONOTONIC
  WallTime wall() const override;
};

// Cryptographically strong (libsodium's randombytes).
class SystemRng final : public Rng {
 public:
  uint64_t next() override;
};

}  // namespace shoal
