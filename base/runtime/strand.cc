#include "base/runtime/strand.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/types/check.h"

namespace shoal {
namespace {

// A wake-up whose time has come may be queued already when it is cancelled, replaced, or the timer
// destroyed; Asio runs it all the same. What it would call may be gone by then, so it must not.
class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(boost::asio::io_context& context) : timer_(context) {}

  void wake_at(Instant when, std::function<void()> callback) override {
    wanted_ = std::make_shared<int>();
    // steady_clock counts from the same epoch as SystemClock::now().
    const auto point = std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(
            Duration(when.nanoseconds)));
    timer_.expires_at(point);
    timer_.async_wait([wanted = std::weak_ptr(wanted_),
                       callback = std::move(callback)](const boost::system::error_code& error) {
      if (!error && !wanted.expired()) callback();
    });
  }
  void cancel() override {
    wanted_.reset();
    timer_.cancel();
  }

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<int> wanted_;  // of the wake-up that is set
};

}  // namespace

Strand::Strand() : context_(1), guard_(context_.get_executor()) {}

Strand::~Strand() { stop(); }

void Strand::start(const std::string& name) {
  SHOAL_CHECK(!thread_.joinable(), "strand started twice");
  thread_ = std::thread([this] { context_.run(); });
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

void Strand::stop() {
  if (!thread_.joinable()) return;
  SHOAL_CHECK(!on_strand(), "strand stopped from itself");
  post([this] { context_.stop(); });
  thread_.join();
}

void Strand::post(std::function<void()> work) { boost::asio::post(context_, std::move(work)); }

bool Strand::on_strand() const { return thread_.get_id() == std::this_thread::get_id(); }

std::unique_ptr<Timer> Strand::make_timer() { return std::make_unique<AsioTimer>(context_); }

WorkThread::WorkThread(const std::string& name, int nice)
    : thread_([this, nice] {
        if (nice != 0) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice);
        run();
      }) {
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

WorkThread::~WorkThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WorkThread::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

size_t WorkThread::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void WorkThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace shoal
