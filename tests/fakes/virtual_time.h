// VirtualTime: a line of events in virtual time, run by one thread; Clock and Timer upon it.
//
// Events of the same instant run in the order they were added, so a run depends on nothing but what
// is put in.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/ports/ports.h"

namespace shoal::fakes {

class VirtualTime {
 public:
  Instant now() const { return now_; }
  void at(Instant when, std::function<void()> event) {
    events_.emplace(std::pair(std::max(when, now_), next_++), std::move(event));
  }
  void after(Duration delay, std::function<void()> event) { at(now_ + delay, std::move(event)); }

  // Runs the next event; false when there is none.
  bool step() {
    if (events_.empty()) return false;
    auto node = events_.extract(events_.begin());
    now_ = node.key().first;
    node.mapped()();
    return true;
  }
  // Runs what happens until `end`, and ends there.
  void run_until(Instant end) {
    while (!events_.empty() && events_.begin()->first.first <= end) step();
    now_ = std::max(now_, end);
  }

 private:
  Instant now_{1};
  uint64_t next_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> events_;
};

class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(const VirtualTime& time) : time_(time) {}
  Instant now() const override { return time_.now(); }
  WallTime wall() const override { return {time_.now().nanoseconds}; }

 private:
  const VirtualTime& time_;
};

class VirtualTimer final : public Timer {
 public:
  explicit VirtualTimer(VirtualTime& time) : time_(time) {}
  ~VirtualTimer() override { cancel(); }

  void wake_at(Instant when, std::function<void()> callback) override {
    pending_ = std::make_shared<std::function<void()>>(std::move(callback));
    time_.at(when, [pending = std::weak_ptr(pending_)] {
      if (const auto call = pending.lock()) (*call)();
    });
  }
  void cancel() override { pending_.reset(); }

 private:
  VirtualTime& time_;
  std::shared_ptr<std::function<void()>> pending_;
};

}  // namespace shoal::fakes
