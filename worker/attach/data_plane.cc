#include "worker/attach/data_plane.h"

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

#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "vxlan/netlink/errno_error.h"
#include "worker/attach/engine.h"

namespace shoal::worker {
namespace {

using Done = std::function<void(PassResult)>;

// Our own changes are notified too, and one change comes as several notifications: after the first
// we wait this long, so a burst costs one look. Far below the two seconds of the periodic pass.
constexpr Duration kSettleTime = std::chrono::milliseconds(50);
// What failed is tried again soon, since much of it passes quickly (a VNI that is being released),
// and then with the periodic pass.
constexpr Duration kRetryTime = std::chrono::milliseconds(250);
constexpr int kQuickRetries = 6;
// A repair looks at every endpoint, a millisecond each; who attaches meanwhile does not wait for
// that. In a row, or under a load of attaches nothing would ever be repaired.
constexpr int kMostInterruptions = 5;

}  // namespace

class DataPlane::Impl {
 public:
  Impl(DataPlaneOptions options, std::unique_ptr<Engine> engine, vxlan::UniqueFd wake,
       uint64_t wake_token)
      : options_(std::move(options)),
        engine_(std::move(engine)),
        wake_(std::move(wake)),
        wake_token_(wake_token),
        thread_([this] { loop(); }) {
    pthread_setname_np(thread_.native_handle(), "shoal-data");
  }

  ~Impl() {
    stopping_ = true;
    poke();
    thread_.join();
  }

  void set_state(WorkerState state, Done done) {
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

  Engine& engine() { return *engine_; }

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
      const Instant now = clock_.now();
      if (take_state(now)) continue;
      if (!engine_->has_state()) {
        next_full_ = now + options_.full_pass_interval;
      } else if (now >= next_full_) {
        const bool whole = repair(Engine::Look::kEverywhere);
        next_full_ = clock_.now() + (whole ? options_.full_pass_interval : Duration(0));
      } else if (stirred_at_ && now >= *stirred_at_ + kSettleTime) {
        if (!repair(Engine::Look::kStirred)) stirred_at_ = clock_.now();
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
  bool take_state(Instant now) {
    std::optional<WorkerState> state;
    std::vector<Done> done;
    {
      const std::lock_guard lock(mutex_);
      state.swap(state_);
      done.swap(done_);
    }
    if (!state) return false;
    const bool first = !engine_->has_state();
    engine_->set_state(std::move(*state));
    const PassResult result =
        engine_->pass(first ? Engine::Look::kEverywhere : Engine::Look::kBelieve, false);
    if (first) next_full_ = now + options_.full_pass_interval;
    quick_retries_ = kQuickRetries;
    plan_retry(result);
    for (const Done& each : done) each(result);
    return true;
  }

  void plan_retry(const PassResult& result) {
    if (result.endpoint_errors.empty() || quick_retries_ == 0 || stirred_at_) return;
    --quick_retries_;
    stirred_at_ = clock_.now() + kRetryTime - kSettleTime;
  }

  // False when it gave way to what is new.
  bool repair(Engine::Look look) {
    stirred_at_.reset();
    const PassResult result = engine_->pass(look, true);
    interruptions_ = result.interrupted ? interruptions_ + 1 : 0;
    plan_retry(result);
    if (!result.interrupted) log_failures(result);
    if (result.ops > 0 && options_.on_repair) options_.on_repair(result.ops);
    return !result.interrupted;
  }

  // A failure is logged when it appears, not every two seconds.
  void log_failures(const PassResult& result) {
    std::set<std::string> failures;
    for (const Error& error : result.problems) failures.insert(error.message);
    for (const auto& [id, error] : result.endpoint_errors) {
      failures.insert("endpoint " + id.str() + ": " + error.message);
    }
    for (const std::string& failure : failures) {
      if (!failures_.contains(failure)) log::warn("data_plane", "{}", failure);
    }
    failures_ = std::move(failures);
    if (options_.on_problems) options_.on_problems({failures_.begin(), failures_.end()});
  }

  const DataPlaneOptions options_;
  const SystemClock clock_;
  std::unique_ptr<Engine> engine_;
  vxlan::UniqueFd wake_;
  const uint64_t wake_token_;
  Instant next_full_;
  std::optional<Instant> stirred_at_;  // the first notification since the last repair
  int interruptions_ = 0;              // of repairs, in a row
  int quick_retries_ = 0;              // left since the last new state
  std::set<std::string> failures_;

  std::mutex mutex_;  // guards the three below
  std::optional<WorkerState> state_;
  std::vector<Done> done_;
  std::deque<std::function<void()>> jobs_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

DataPlane::DataPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DataPlane::~DataPlane() = default;

Result<std::unique_ptr<DataPlane>> DataPlane::start(DataPlaneOptions options) {
  std::unique_ptr<Engine> engine = SHOAL_TRY(Engine::open(options));
  vxlan::UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return vxlan::errno_error(errno, "make an eventfd");
  const uint64_t token = SHOAL_TRY(engine->watches().add(wake.get()));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(engine), std::move(wake), token);
  return std::unique_ptr<DataPlane>(new DataPlane(std::move(impl)));
}

void DataPlane::set_state(WorkerState state, std::function<void(PassResult)> done) {
  impl_->set_state(std::move(state), std::move(done));
}

void DataPlane::check_namespace(NamespaceRef ref, std::string ifname,
                                std::function<void(Result<NamespaceRef>)> done) {
  impl_->post([impl = impl_.get(), ref = std::move(ref), ifname = std::move(ifname),
               done = std::move(done)] {
    Result<NamespaceRef> checked = worker::check_namespace(impl->engine().host(), ref, ifname);
    if (checked.ok() && impl->engine().is_overlay({checked->device, checked->inode})) {
      checked = invalid_argument("that is the namespace of one of Shoal's own overlays");
    }
    done(std::move(checked));
  });
}

void DataPlane::remove_all(std::function<void(Status)> done) {
  impl_->post([impl = impl_.get(), done = std::move(done)] { done(impl->engine().remove_all()); });
}

}  // namespace shoal::worker
