#include "base/runtime/strand.h"

#include <gtest/gtest.h>

#include "base/runtime/system_ports.h"

namespace shoal {
namespace {

// A wake-up whose time has come waits in the strand's queue behind what was posted before. Posting
// between setting and cancelling it gives Asio the time to move it there.
class TimerTest : public testing::Test {
 protected:
  static constexpr int kRounds = 200;

  void SetUp() override { strand_.start("test"); }
  void TearDown() override { strand_.stop(); }

  // Ends the wake-up by `end` as early and as late as `rounds` posts; returns how many were called
  // after it.
  int late_calls(const std::function<void(std::unique_ptr<Timer>&)>& end) {
    int late = 0;
    for (int round = 0; round < kRounds; ++round) {
      auto timer = strand_.make_timer();
      bool ended = false;
      strand_.call([&] {
        timer->wake_at(clock_.now(), [&] { late += ended ? 1 : 0; });
        for (int hops = 0; hops < round % 4; ++hops) strand_.post([] {});
        strand_.post([&] {
          end(timer);
          ended = true;
        });
      });
      strand_.call([] {});
      strand_.call([] {});
      strand_.call([&] { timer.reset(); });
    }
    return late;
  }

  SystemClock clock_;
  Strand strand_;
};

TEST_F(TimerTest, WakesUp) {
  auto timer = strand_.make_timer();
  std::promise<void> woken;
  strand_.call([&] { timer->wake_at(clock_.now(), [&] { woken.set_value(); }); });
  EXPECT_EQ(woken.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(TimerTest, IsSilentAfterCancel) {
  EXPECT_EQ(late_calls([](std::unique_ptr<Timer>& timer) { timer->cancel(); }), 0);
}

TEST_F(TimerTest, IsSilentAfterItsEnd) {
  EXPECT_EQ(late_calls([](std::unique_ptr<Timer>& timer) { timer.reset(); }), 0);
}

TEST_F(TimerTest, IsSilentWhenReplaced) {
  EXPECT_EQ(late_calls([this](std::unique_ptr<Timer>& timer) {
              timer->wake_at(clock_.now() + std::chrono::hours(1), [] {});
            }),
            0);
}

}  // namespace
}  // namespace shoal
