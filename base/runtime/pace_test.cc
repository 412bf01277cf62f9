#include "base/runtime/pace.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

using Clock = std::chrono::steady_clock;

void work_for(std::chrono::microseconds time) {
  const auto until = Clock::now() + time;
  while (Clock::now() < until) {
  }
}

TEST(Pace, RestsThreeTimesAsLongAsTheWork) {
  const auto begun = Clock::now();
  Pace pace;
  for (int i = 0; i < 20; ++i) {
    work_for(std::chrono::microseconds(1000));
    pace.rest_when_due();
  }
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(80));
}

TEST(Pace, CountsWorkInSmallPieces) {
  const auto begun = Clock::now();
  Pace pace;
  for (int i = 0; i < 200; ++i) {
    work_for(std::chrono::microseconds(100));
    pace.rest_when_due();
  }
  // 20 ms of work: the last millisecond of it may not have been rested for.
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(70));
}

}  // namespace
}  // namespace shoal
