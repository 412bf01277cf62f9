#include "tests/bench/consensus/load.h"

#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>

#include <atomic>
#include <thread>

namespace shoal::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr size_t kThreads = 2;

class Run {
 public:
  Run(const Api& api, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
      const Phase& phase)
      : phase_(phase), next_(phase.first) {
    for (const auto& channel : channels) {
      connections_.push_back(api.connect(channel, queues_[connections_.size() % kThreads]));
    }
  }

  Report go() {
    const Clock::time_point start = Clock::now();
    begin_ = start + phase_.warm_up;
    end_ = phase_.count != 0 ? Clock::time_point::max() : begin_ + phase_.measured;
    under_way_ = 1;  // who begins
    std::vector<Tally> tallies(kThreads);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, &tallies] { take_answers(queues_[i], tallies[i]); });
    }
    if (phase_.rate > 0) {
      keep_pace();
    } else {
      for (unsigned client = 0; client < phase_.clients; ++client) start_next(client);
      for (const auto& connection : connections_) connection->flush();
    }
    finished();
    for (std::thread& thread : threads) thread.join();
    Report report;
    for (const Tally& tally : tallies) {
      report.latency.merge(tally.latency);
      for (const auto& [what, count] : tally.errors) report.errors[what] += count;
    }
    if (overruns_ != 0) report.errors["not sent: too many calls under way"] = overruns_;
    report.calls = next_ - phase_.first;
    const auto covered = phase_.count != 0 ? Clock::now() - begin_ : phase_.measured;
    report.seconds = std::chrono::duration<double>(covered).count();
    return report;
  }

 private:
  // A call under way: its place in `calls_` is its token.
  struct Call {
    unsigned client = 0;
    Clock::time_point due;
  };
  struct Tally {
    Histogram latency;
    std::map<std::string, uint64_t> errors;
  };

  // False when there is nothing left to do for a client.
  bool start_next(unsigned client) {
    const Clock::time_point now = Clock::now();
    if (now >= end_) return false;
    const uint64_t number = next_.fetch_add(1);
    if (phase_.count != 0 && number - phase_.first >= phase_.count) {
      next_.fetch_sub(1);
      return false;
    }
    start(client, number, now);
    return true;
  }

  Connection& connection_of(unsigned client) { return *connections_[client % connections_.size()]; }

  void start(unsigned client, uint64_t number, Clock::time_point due) {
    ++under_way_;
    auto call = std::make_unique<Call>(Call{client, due});
    connection_of(client).send(phase_.op, number, reinterpret_cast<uint64_t>(call.release()));
  }

  void take_answers(grpc::CompletionQueue& queue, Tally& tally) {
    void* tag = nullptr;
    bool ok = false;
    std::vector<Answered> answered;
    while (queue.Next(&tag, &ok)) {
      answered.clear();
      static_cast<Event*>(tag)->happened(ok, answered);
      Connection* last = nullptr;
      for (const Answered& answer : answered) {
        const std::unique_ptr<Call> call(reinterpret_cast<Call*>(answer.token));
        note(*call, answer.error, tally);
        last = &connection_of(call->client);
        if (phase_.rate <= 0) start_next(call->client);
      }
      if (last != nullptr) last->flush();  // an event is of one connection
      for (size_t i = 0; i < answered.size(); ++i) finished();
    }
  }

  void note(const Call& call, const std::string& error, Tally& tally) const {
    const Clock::time_point now = Clock::now();
    const Clock::time_point counted = phase_.rate > 0 ? call.due : now;
    if (counted < begin_ || counted >= end_) return;
    if (!error.empty()) {
      ++tally.errors[error];
    } else {
      tally.latency.add(static_cast<uint64_t>(nanoseconds(now - call.due).count()));
    }
  }

  void finished() {
    if (--under_way_ != 0) return;
    for (const auto& connection : connections_) connection->close();
    for (grpc::CompletionQueue& queue : queues_) queue.Shutdown();
  }

  void keep_pace() {
    prctl(PR_SET_TIMERSLACK, 1);
    const nanoseconds interval(static_cast<int64_t>(1e9 / phase_.rate));
    Clock::time_point due = Clock::now();
    for (unsigned client = 0; due < end_; due += interval, ++client) {
      std::this_thread::sleep_until(due);
      if (under_way_ > kMostUnderWay) {
        ++overruns_;
        continue;
      }
      start(client % phase_.clients, next_.fetch_add(1), due);
      connection_of(client % phase_.clients).flush();
    }
  }

  const Phase phase_;
  grpc::CompletionQueue queues_[kThreads];
  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> under_way_ = 0;
  uint64_t overruns_ = 0;
  Clock::time_point begin_;
  Clock::time_point end_;
};

}  // namespace

Report run(const Api& api, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
           const Phase& phase) {
  return Run(api, channels, phase).go();
}

}  // namespace shoal::bench
