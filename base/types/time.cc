#include "base/types/time.h"

#include <cstdio>
#include <ctime>

namespace shoal {

std::string to_rfc3339(WallTime time) {
  int64_t seconds = time.nanoseconds / 1'000'000'000;
  int64_t fraction = time.nanoseconds % 1'000'000'000;
  if (fraction < 0) {
    fraction += 1'000'000'000;
    --seconds;
  }
  const std::time_t t = seconds;
  std::tm parts{};
  gmtime_r(&t, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<long long>(fraction));
  return text;
}

}  // namespace shoal
