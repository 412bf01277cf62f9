// Durations as Docker's command line takes them: Go's, "2160h0m0s", "90m", "1.5h".
#pragma once

#include <chrono>
#include <string_view>

#include "base/types/result.h"

namespace shoal::cli {

// A sum of decimal numbers, each with its unit: ns, us (or µs), ms, s, m, h. "0" needs none.
// kInvalidArgument when it is not that, negative, or longer than a century.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace shoal::cli
