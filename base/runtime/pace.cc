#include "base/runtime/pace.h"

#include <algorithm>
#include <thread>

namespace shoal {
namespace {

constexpr std::chrono::microseconds kWork{1000};
constexpr int kRests = 3;  // each as long as the work
constexpr std::chrono::milliseconds kLongestRest{10};

}  // namespace

void Pace::rest_when_due() {
  const auto worked = std::chrono::steady_clock::now() - begun_;
  if (worked < kWork) return;
  std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(kRests * worked, kLongestRest));
  begun_ = std::chrono::steady_clock::now();
}

}  // namespace shoal
