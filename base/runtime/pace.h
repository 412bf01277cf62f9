// Pace: keeps a long job that nobody waits for from holding a processor that others wait for. After
// about a millisecond of work it rests for three, so that whoever becomes ready meanwhile runs,
// whatever the scheduler thinks of priorities; a job of n seconds takes about 4 n.
#pragma once

#include <chrono>

namespace shoal {

class Pace {
 public:
  // To be called often (it reads the clock); blocks while it rests, 10 ms at most.
  void rest_when_due();

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace shoal
