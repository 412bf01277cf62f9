#include "tests/property/edge_counter.h"

namespace {

uint64_t blocks = 0;

}  // namespace

extern "C" void __sanitizer_cov_trace_pc() { ++blocks; }

namespace shoal {

uint64_t executed_blocks() { return blocks; }

}  // namespace shoal
