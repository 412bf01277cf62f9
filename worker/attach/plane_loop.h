// PlaneLoop: the thread of a plane (DataPlane's, HostPlane's): its queue, and when its engine
// makes a pass.
//
// A new state is passed at once, the newest only; a kernel notification causes a repair
// kSettleTime later, and so does every `full_pass_interval`, which looks everywhere. A repair gives
// way to what is new. What failed is tried again soon, a few times.
//
// Engine has: State, Pass, set_state(), has_state(), pass(Look, bool repairing), set_hurried(),
// handle_event(), watches(). Pass has: ops, interrupted, failed() (worth trying again soon),
// failures() (sentences).
//
// Thread rule: public methods from any thread; callbacks run on the loop's thread.
#pragma once

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "base/runtime/unique_fd.h"
#include "base/types/result.h"
#include "vxlan/netlink/errno_error.h"
#include "worker/attach/look.h"

namespace shoal::worker {

struct PlaneLoopOptions {
  const char* thread = "";     // its name, 15 characters at most
  const char* component = "";  // of its log lines
  std::chrono::milliseconds full_pass_interval{2000};
  // After every repair that changed something.
  std::function<void(size_t repairs)> on_repair;
  // What a repair found that cannot be put right; after every repair that saw everything.
  std::function<void(std::vector<std::string>)> on_problems;
};

template <typename Engine>
class PlaneLoop {
 public:
  using State = typename Engine::State;
  using Pass = typename Engine::Pass;
  using Done = std::function<void(Pass)>;

  static Result<std::unique_ptr<PlaneLoop>> start(PlaneLoopOptions options,
                                                  std::unique_ptr<Engine> engine) {
    UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) return vxlan::errno_error(errno, "make an eventfd");
    const uint64_t token = SHOAL_TRY(engine->watches().add(wake.get()));
    return std::unique_ptr<PlaneLoop>(
        new PlaneLoop(std::move(options), std::move(engine), std::move(wake), token));
  }

  // Finishes the pass it is in.
  ~PlaneLoop() {
    stopping_ = true;
    poke();
    thread_.join();
  }

  // `done` (may be empty) is called after the first pass that saw this state or a newer one.
  void set_state(State state, Done done) {
    {
      const std::lock_guard lock(mutex_);
      state_ = std::move(state);
      if (done) done_.push_back(std::move(done));
    }
    poke();
  }

  void post(std::function<void(Engine&)> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    poke();
  }

 private:
  // Our own changes are notified too, and one change comes as several notifications: after the
  // first we wait this long, so a burst costs one look. Far below the period of full passes.
  static constexpr Duration kSettleTime = std::chrono::milliseconds(50);
  // Much of what fails passes quickly (a VNI that is being released), the rest waits for the
  // periodic pass.
  static constexpr Duration kRetryTime = std::chrono::milliseconds(250);
  static constexpr int kQuickRetries = 6;
  // A repair looks at every endpoint, a millisecond each; who attaches meanwhile does not wait for
  // that. In a row, or under a load of attaches nothing would ever be repaired.
  static constexpr int kMostInterruptions = 5;

  PlaneLoop(PlaneLoopOptions options, std::unique_ptr<Engine> engine, UniqueFd wake,
            uint64_t wake_token)
      : options_(std::move(options)),
        engine_(std::move(engine)),
        wake_(std::move(wake)),
        wake_token_(wake_token),
        thread_([this] { loop(); }) {
    pthread_setname_np(thread_.native_handle(), options_.thread);
  }

  void poke() const {
    const uint64_t one = 1;
    // Only a counter at its maximum refuses, and then the thread is awake already.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
  }

  void loop() {
    next_full_ = clock_.now();
    engine_->set_hurried([this] { return interruptions_ < kMostInterruptions && has_news(); });
    while (!stopping_) {
      wait();
      run_jobs();
      const Instant now = clock_.now();
      if (take_state(now)) continue;
      if (!engine_->has_state()) {
        next_full_ = now + options_.full_pass_interval;
      } else if (now >= next_full_) {
        const bool whole = repair(Look::kEverywhere);
        next_full_ = clock_.now() + (whole ? options_.full_pass_interval : Duration(0));
      } else if (stirred_at_ && now >= *stirred_at_ + kSettleTime) {
        if (!repair(Look::kStirred)) stirred_at_ = clock_.now();
      }
    }
  }

  bool has_news() {
    const std::lock_guard lock(mutex_);
    return state_ || !jobs_.empty();
  }

  void wait() {
    Instant until = next_full_;
    if (stirred_at_) until = std::min(until, *stirred_at_ + kSettleTime);
    const Duration left = std::max(until - clock_.now(), Duration(0));
    // Rounded up, or the last millisecond would be spent spinning.
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    for (const uint64_t token : engine_->watches().wait(static_cast<int>(timeout))) {
      if (token == wake_token_) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t size = read(wake_.get(), &count, sizeof count);
      } else if (engine_->handle_event(token) && !stirred_at_) {
        stirred_at_ = clock_.now();
      }
    }
  }

  void run_jobs() {
    std::deque<std::function<void(Engine&)>> jobs;
    {
      const std::lock_guard lock(mutex_);
      jobs.swap(jobs_);
    }
    for (const auto& job : jobs) job(*engine_);
  }

  // True when a new state was there and a pass was made for it.
  bool take_state(Instant now) {
    std::optional<State> state;
    std::vector<Done> done;
    {
      const std::lock_guard lock(mutex_);
      state.swap(state_);
      done.swap(done_);
    }
    if (!state) return false;
    const bool first = !engine_->has_state();
    engine_->set_state(std::move(*state));
    const Pass result = engine_->pass(first ? Look::kEverywhere : Look::kBelieve, false);
    if (first) next_full_ = now + options_.full_pass_interval;
    quick_retries_ = kQuickRetries;
    plan_retry(result);
    for (const Done& each : done) each(result);
    return true;
  }

  void plan_retry(const Pass& result) {
    if (!result.failed() || quick_retries_ == 0 || stirred_at_) return;
    --quick_retries_;
    stirred_at_ = clock_.now() + kRetryTime - kSettleTime;
  }

  // False when it gave way to what is new.
  bool repair(Look look) {
    stirred_at_.reset();
    const Pass result = engine_->pass(look, true);
    interruptions_ = result.interrupted ? interruptions_ + 1 : 0;
    plan_retry(result);
    if (!result.interrupted) tell_failures(result.failures());
    if (result.ops > 0 && options_.on_repair) options_.on_repair(result.ops);
    return !result.interrupted;
  }

  // A failure is logged when it appears, not every two seconds.
  void tell_failures(std::set<std::string> failures) {
    for (const std::string& failure : failures) {
      if (!failures_.contains(failure)) log::warn(options_.component, "{}", failure);
    }
    failures_ = std::move(failures);
    if (options_.on_problems) options_.on_problems({failures_.begin(), failures_.end()});
  }

  const PlaneLoopOptions options_;
  const SystemClock clock_;
  std::unique_ptr<Engine> engine_;
  UniqueFd wake_;
  const uint64_t wake_token_;
  Instant next_full_;
  std::optional<Instant> stirred_at_;  // the first notification since the last repair
  int interruptions_ = 0;              // of repairs, in a row
  int quick_retries_ = 0;              // left since the last new state
  std::set<std::string> failures_;

  std::mutex mutex_;  // guards the three below
  std::optional<State> state_;
  std::vector<Done> done_;
  std::deque<std::function<void(Engine&)>> jobs_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace shoal::worker
