// Strand: the one thread that owns every core of a daemon, and the timers on it.
//
// Other threads (gRPC, RocksDB, netlink, crypto) hand values to it with post(); nothing else
// crosses. WorkThread: a thread that runs blocking jobs one after the other and is drained on
// destruction.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/ports/ports.h"

namespace shoal {

class Strand {
 public:
  Strand();
  ~Strand();  // stops and joins
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // Starts the owning thread. `name` is shown by ps and gdb (15 characters).
  void start(const std::string& name);
  // Finishes what was posted before, then stops. Safe to call twice; not from the strand itself.
  void stop();

  // From any thread; runs on the strand, in order. Work posted after stop() is dropped.
  void post(std::function<void()> work);
  // Runs `work` on the strand and returns its result; not from the strand itself.
  template <typename F>
  auto call(F work) -> decltype(work()) {
    auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
    auto result = task->get_future();
    post([task] { (*task)(); });
    return result.get();
  }
  bool on_strand() const;

  std::unique_ptr<Timer> make_timer();
  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

class WorkThread {
 public:
  // `nice`: of the thread, as of a process (0 to 19); for work that shall not delay other threads'.
  explicit WorkThread(const std::string& name, int nice = 0);
  ~WorkThread();  // runs what is queued, then joins
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  void post(std::function<void()> job);
  size_t queued() const;

 private:
  void run();

  mutable std::mutex mutex_;  // guards jobs_ and stopping_
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace shoal
