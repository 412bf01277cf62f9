// Ports: what a core or driver may ask of the world, as interfaces. The daemon gives system ones
// (base/runtime), tests give fakes (tests/fakes).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/types/time.h"

namespace shoal {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;    // monotonic
  virtual WallTime wall() const = 0;  // civil time; may jump
};

// Random source. The system one is cryptographically strong; a test's is seeded.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual uint64_t next() = 0;
  // Uniform in [0, bound); bound > 0. The modulo bias of a 64-bit draw is accepted.
  uint64_t below(uint64_t bound) { return next() % bound; }
  void fill(std::span<uint8_t> out) {
    uint64_t word = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = next();
      out[i] = static_cast<uint8_t>(word >> (i % 8 * 8));
    }
  }
};

// A deterministic source for cores that need to draw (election timeouts, gossip targets):
// splitmix64.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(uint64_t seed) : state_(seed) {}
  uint64_t next() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// One pending wake-up per Timer; setting it again replaces the earlier one. After cancel(), or the
// Timer's end, the callback is not called any more, also when its time had come.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void wake_at(Instant when, std::function<void()> callback) = 0;
  virtual void cancel() = 0;
};

// Counters and gauges by name, for status and metrics. Names are snake_case with a unit suffix.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void count(std::string_view name, uint64_t by = 1) = 0;
  virtual void gauge(std::string_view name, double value) = 0;
};

// Where a core says what it did, for logs in the daemon and for assertions in tests.
class Trace {
 public:
  virtual ~Trace() = default;
  virtual void event(std::string_view component, std::string_view message) = 0;
};

}  // namespace shoal
