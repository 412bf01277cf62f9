// Instant: a point on a monotonic time line. WallTime: civil time, for people and certificates.
//
// Cores compare Instants only; where one comes from (steady clock, virtual time) is the shell's
// business.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace shoal {

using Duration = std::chrono::nanoseconds;

struct Instant {
  int64_t nanoseconds = 0;  // since an arbitrary epoch, the same for all Instants of one process

  static constexpr Instant max() { return {INT64_MAX}; }

  friend constexpr auto operator<=>(const Instant&, const Instant&) = default;
  // Saturating: max() + anything stays max(), so "never" stays never.
  friend constexpr Instant operator+(Instant instant, Duration duration) {
    if (duration.count() > 0 && instant.nanoseconds > INT64_MAX - duration.count()) return max();
    return {instant.nanoseconds + duration.count()};
  }
  friend constexpr Instant operator-(Instant instant, Duration duration) {
    return {instant.nanoseconds - duration.count()};
  }
  friend constexpr Duration operator-(Instant a, Instant b) {
    return Duration(a.nanoseconds - b.nanoseconds);
  }
};

struct WallTime {
  int64_t nanoseconds = 0;  // since 1970-01-01T00:00:00Z

  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
  friend constexpr WallTime operator+(WallTime time, Duration duration) {
    return {time.nanoseconds + duration.count()};
  }
  friend constexpr Duration operator-(WallTime a, WallTime b) {
    return Duration(a.nanoseconds - b.nanoseconds);
  }
};

// RFC 3339 in UTC with nanoseconds, as Docker prints: "2026-01-02T03:04:05.000000006Z".
std::string to_rfc3339(WallTime time);

}  // namespace shoal
