// A member's own clock: it runs at its own speed and jumps, while virtual time goes on evenly. The
// monotonic part never goes back; the civil one may.
#pragma once

#include <functional>
#include <memory>

#include "tests/fakes/virtual_time.h"

namespace shoal::sim {

class OwnClock final : public Clock {
 public:
  explicit OwnClock(const fakes::VirtualTime& time) : time_(time), since_(time.now()) {}

  Instant now() const override {
    return shown_ + Duration(static_cast<int64_t>(
                        static_cast<double>((time_.now() - since_).count()) * speed_));
  }
  WallTime wall() const override { return WallTime{kEpoch + now().nanoseconds} + wall_offset_; }

  // From now on; 1 is true.
  void set_speed(double speed) {
    rebase();
    speed_ = speed;
  }
  // As after a sleep of the machine that the clock counted.
  void jump(Duration ahead) {
    rebase();
    shown_ = shown_ + ahead;
  }
  void set_wall(Duration offset) { wall_offset_ = offset; }
  // When this clock will show `when`, in virtual time.
  Instant true_time(Instant when) const {
    const auto wait = static_cast<double>((when - now()).count()) / speed_;
    return wait <= 0 ? time_.now() : time_.now() + Duration(static_cast<int64_t>(wait) + 1);
  }

 private:
  static constexpr int64_t kEpoch = 1'700'000'000'000'000'000;

  void rebase() {
    shown_ = now();
    since_ = time_.now();
  }

  const fakes::VirtualTime& time_;
  Instant since_;     // virtual time
  Instant shown_{1};  // what this clock showed then
  double speed_ = 1;
  Duration wall_offset_{0};
};

class OwnTimer final : public Timer {
 public:
  using Enter = std::function<void(const std::function<void()>&)>;

  // `enter` is given each callback to call, or not.
  OwnTimer(fakes::VirtualTime& time, const OwnClock& clock, Enter enter)
      : time_(time), clock_(clock), enter_(std::move(enter)) {}
  ~OwnTimer() override { cancel(); }

  void wake_at(Instant when, std::function<void()> callback) override {
    pending_ = std::make_shared<Pending>(Pending{when, std::move(callback)});
    arm();
  }
  void cancel() override { pending_.reset(); }
  // After the clock changed its speed or jumped.
  void clock_changed() {
    if (!pending_) return;
    pending_ = std::make_shared<Pending>(std::move(*pending_));
    arm();
  }

 private:
  struct Pending {
    Instant when;
    std::function<void()> callback;
  };

  void arm() {
    if (pending_->when == Instant::max()) return;
    time_.at(clock_.true_time(pending_->when), [this, pending = std::weak_ptr(pending_)] {
      const auto due = pending.lock();
      if (!due) return;
      pending_.reset();
      enter_(due->callback);
    });
  }

  fakes::VirtualTime& time_;
  const OwnClock& clock_;
  const Enter enter_;
  std::shared_ptr<Pending> pending_;
};

}  // namespace shoal::sim
