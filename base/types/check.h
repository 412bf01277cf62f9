// SHOAL_CHECK: a bug detector, on in every build.
//
// Use it for what only a programming error can break (an invariant of our own state). Never for
// what the environment can cause: network, disk, kernel, peers and people get a Result<T>.
#pragma once

namespace shoal {

// Prints the expression, place and message on stderr and aborts. Does not return.
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const char* message);

}  // namespace shoal

#define SHOAL_CHECK(condition, message)                               \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::shoal::check_failed(#condition, __FILE__, __LINE__, message); \
    }                                                                 \
  } while (false)
