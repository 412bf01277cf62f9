// Counts the basic blocks executed in code compiled with -fsanitize-coverage=trace-pc: a measure of
// work that is the same on every run of one build, unlike time.
#pragma once

#include <cstdint>

namespace shoal {

uint64_t executed_blocks();

}  // namespace shoal
