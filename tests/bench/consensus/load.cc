#include "tests/bench/consensus/load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>

#include <atomic>
#include <thread>

namespace shoal::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr size_t kThreads = 2;
constexpr std::chrono::seconds kCallDeadline{20};

class Run {
 public:
  Run(const Api& api, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
      const Phase& phase)
      : api_(api), phase_(phase), method_(api.method(phase.op)), next_(phase.first) {
    for (const auto& channel : channels) {
      stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
  }

  Report go() {
    const Clock::time_point start = Clock::now();
    begin_ = start + phase_.warm_up;
    end_ = phase_.count != 0 ? Clock::time_point::max() : begin_ + phase_.measured;
    if (phase_.rate > 0) {
      under_way_ = 1;  // the pace itself
    } else {
      for (unsigned client = 0; client < phase_.clients; ++client) start_next(client);
    }
    std::vector<Tally> tallies(kThreads);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, &tallies] { take_answers(queues_[i], tallies[i]); });
    }
    if (phase_.rate > 0) keep_pace();
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
  struct Call {
    unsigned client = 0;
    Clock::time_point due;
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
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

  void start(unsigned client, uint64_t number, Clock::time_point due) {
    ++under_way_;
    auto* call = new Call;
    call->client = client;
    call->due = due;
    call->context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    const size_t connection = client % stubs_.size();
    call->reader = stubs_[connection]->PrepareUnaryCall(
        &call->context, method_, api_.request(phase_.op, number), &queues_[connection % kThreads]);
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  }

  void take_answers(grpc::CompletionQueue& queue, Tally& tally) {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      note(*call, tally);
      if (phase_.rate <= 0) start_next(call->client);
      finished();
    }
  }

  void note(const Call& call, Tally& tally) const {
    const Clock::time_point now = Clock::now();
    const Clock::time_point counted = phase_.rate > 0 ? call.due : now;
    if (counted < begin_ || counted >= end_) return;
    if (!call.status.ok()) {
      ++tally.errors[call.status.error_message()];
    } else if (!api_.accept(phase_.op, call.answer)) {
      ++tally.errors["an answer that is none"];
    } else {
      tally.latency.add(static_cast<uint64_t>(nanoseconds(now - call.due).count()));
    }
  }

  void finished() {
    if (--under_way_ != 0) return;
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
    }
    finished();
  }

  const Api& api_;
  const Phase phase_;
  const std::string method_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queues_[kThreads];
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
