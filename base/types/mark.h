// SHOAL_MARK: a place in the code that only rare circumstances reach. A simulator that is meant to
// bring them about counts them, and fails when one was never reached: a branch nobody tests.
//
//   if (!log_.is_up_to_date(index, term)) SHOAL_MARK("vote refused: log behind");
//
// Only where SHOAL_MARKS is defined is there any code (a counter, for one thread); in production it
// is nothing. Not in headers: one place, one counter.
#pragma once

#ifdef SHOAL_MARKS

#include <cstdint>

namespace shoal {

struct Mark {
  const char* name;
  uint64_t count;
};

}  // namespace shoal

// All marks of a program, reached or not, lie between these; both are null when there is none.
extern shoal::Mark shoal_marks_begin[] __asm__("__start_shoal_marks") __attribute__((weak));
extern shoal::Mark shoal_marks_end[] __asm__("__stop_shoal_marks") __attribute__((weak));

#define SHOAL_MARK(name)                                                                       \
  do {                                                                                         \
    static ::shoal::Mark shoal_mark __attribute__((section("shoal_marks"), used)) = {name, 0}; \
    ++shoal_mark.count;                                                                        \
  } while (false)

#else

#define SHOAL_MARK(name) static_cast<void>(0)

#endif
