#include "worker/hostnet/host_plane.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/errno_error.h"
#include "worker/hostnet/host_engine.h"

namespace shoal::worker {
namespace {

// A change of the kernel comes in many notifications, and ours cause some too.
constexpr Duration kSettleTime = std::chrono::milliseconds(50);
// After a pass that failed: what it was about may have been under way.
constexpr Duration kRetryTime = std::chrono::milliseconds(200);
constexpr int kQuickRetries = 3;
// A repair looks at every endpoint; who attaches meanwhile does not wait for that. In a row, or
// under a load of attaches nothing would ever be repaired.
constexpr int kMostInterruptions = 5;

}  // namespace

class HostPlane::Impl {
 public:
  using Done = std::function<void(HostPass)>;

  Impl(HostPlaneOptions options, std::unique_ptr<HostEngine> engine, vxlan::UniqueFd wake,
       uint64_t wake_token)
      : options_(std::move(options)),
        engine_(std::move(engine)),
        wake_(std::move(wake)),
        wake_token_(wake_token),
        thread_([this] { loop(); }) {
    pthread_setname_np(thread_.native_handle(), "shoal-host");
  }

  ~Impl() {
    stopping_ = true;
    poke();
    thread_.join();
  }

  void set_state(HostState state, Done done) {
    {
      const std::lock_guard lock(mutex_);
      state_ = std::move(state);
      if (done) done_.push_back(std::move(done));
    }
    poke();
  }

  void post(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    poke();
  }

  HostEngine& engine() { return *engine_; }

 private:
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
      if (take_state()) continue;
      const Instant now = clock_.now();
      if (!engine_->has_state()) {
        next_full_ = now + options_.full_pass_interval;
      } else if (now >= next_full_) {
        const bool whole = repair(HostEngine::Look::kEverywhere);
        next_full_ = clock_.now() + (whole ? options_.full_pass_interval : Duration(0));
      } else if (stirred_at_ && now >= *stirred_at_ + kSettleTime) {
        if (!repair(HostEngine::Look::kStirred)) stirred_at_ = clock_.now();
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
    std::deque<std::function<void()>> jobs;
    {
      const std::lock_guard lock(mutex_);
      jobs.swap(jobs_);
    }
    for (const auto& job : jobs) job();
  }

  // True when a new state was there and a pass was made for it.
  bool take_state() {
    std::optional<HostState> state;
    std::vector<Done> done;
    {
      const std::lock_guard lock(mutex_);
      state.swap(state_);
      done.swap(done_);
    }
    if (!state) return false;
    const bool first = !engine_->has_state();
    engine_->set_state(std::move(*state));
    const HostPass result =
        engine_->pass(first ? HostEngine::Look::kEverywhere : HostEngine::Look::kBelieve, false);
    quick_retries_ = kQuickRetries;
    plan_retry(result);
    for (const Done& each : done) each(result);
    return true;
  }

  void plan_retry(const HostPass& result) {
    const bool failed = !result.endpoint_errors.empty() || !result.network_errors.empty();
    if (!failed || quick_retries_ == 0 || stirred_at_) return;
    --quick_retries_;
    stirred_at_ = clock_.now() + kRetryTime - kSettleTime;
  }

  // False when it gave way to what is new.
  bool repair(HostEngine::Look look) {
    stirred_at_.reset();
    const HostPass result = engine_->pass(look, true);
    interruptions_ = result.interrupted ? interruptions_ + 1 : 0;
    plan_retry(result);
    if (result.interrupted) return false;
    if (result.ops > 0) {
      log::warn("host_plane", "repaired {} differences: something else changes what is ours",
                result.ops);
    }
    // A failure is logged when it appears, not every two seconds.
    std::set<std::string> failures;
    for (const Error& error : result.problems) failures.insert(error.message);
    for (const auto& [id, error] : result.network_errors) {
      failures.insert("network " + id.str() + ": " + error.message);
    }
    for (const auto& [id, error] : result.endpoint_errors) {
      failures.insert("endpoint " + id.str() + ": " + error.message);
    }
    for (const std::string& failure : failures) {
      if (!failures_.contains(failure)) log::warn("host_plane", "{}", failure);
    }
    failures_ = std::move(failures);
    if (options_.on_problems) options_.on_problems({failures_.begin(), failures_.end()});
    return true;
  }

  const HostPlaneOptions options_;
  const SystemClock clock_;
  std::unique_ptr<HostEngine> engine_;
  vxlan::UniqueFd wake_;
  const uint64_t wake_token_;
  Instant next_full_;
  std::optional<Instant> stirred_at_;  // the first notification since the last repair
  int interruptions_ = 0;              // of repairs, in a row
  int quick_retries_ = 0;              // left since the last new state
  std::set<std::string> failures_;

  std::mutex mutex_;  // guards the three below
  std::optional<HostState> state_;
  std::vector<Done> done_;
  std::deque<std::function<void()>> jobs_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

HostPlane::HostPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HostPlane::~HostPlane() = default;

Result<std::unique_ptr<HostPlane>> HostPlane::start(HostPlaneOptions options) {
  std::unique_ptr<HostEngine> engine = SHOAL_TRY(HostEngine::open(options));
  vxlan::UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return vxlan::errno_error(errno, "make an eventfd");
  const uint64_t token = SHOAL_TRY(engine->watches().add(wake.get()));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(engine), std::move(wake), token);
  return std::unique_ptr<HostPlane>(new HostPlane(std::move(impl)));
}

void HostPlane::set_state(HostState state, std::function<void(HostPass)> done) {
  impl_->set_state(std::move(state), std::move(done));
}

void HostPlane::check_namespace(NamespaceRef ref, std::string ifname,
                                std::function<void(Result<NamespaceRef>)> done) {
  impl_->post([impl = impl_.get(), ref = std::move(ref), ifname = std::move(ifname),
               done = std::move(done)] {
    done(worker::check_namespace(impl->engine().host(), ref, ifname));
  });
}

void HostPlane::host_routes(std::function<void(Result<std::vector<Prefix>>)> done) {
  impl_->post([impl = impl_.get(), done = std::move(done)] {
    done(vxlan::dump_destinations(impl->engine().socket()));
  });
}

}  // namespace shoal::worker
