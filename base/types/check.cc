#include "base/types/check.h"

#include <cstdio>
#include <cstdlib>

namespace shoal {

void check_failed(const char* expression, const char* file, int line, const char* message) {
  std::fprintf(stderr, "SHOAL_CHECK failed: %s (%s) at %s:%d\n", message, expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace shoal
