// PollPulse: keeps gRPC's callback threads from all sleeping at once.
//
// Each of the threads that run callbacks and poll for them (two here; "nexting_thread" in ps)
// sleeps for 100 ms after a second in which it got no event (grpc 1.51, src/cpp/common/
// completion_queue_cc.cc). On an idle daemon they do so at the same time, and what comes then is
// read late: one request in eleven, by 50 ms on average. With an event every 400 ms a thread that
// sleeps is one that the other was polling for.
#pragma once

#include <grpcpp/generic/generic_stub.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

namespace shoal {

class PollPulse {
 public:
  PollPulse();
  ~PollPulse();  // waits for the event under way
  PollPulse(const PollPulse&) = delete;
  PollPulse& operator=(const PollPulse&) = delete;

  // Returns when there were so many events; from the second on the above holds.
  void wait_for_beats(uint64_t count);

 private:
  void run();
  void beat();

  // Of a channel that leads nowhere: a call ends at once, as an event.
  grpc::GenericStub stub_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool beating_ = false;
  uint64_t beats_ = 0;
  size_t waiting_ = 0;  // in wait_for_beats()
  std::thread thread_;  // last: it uses what is above
};

}  // namespace shoal
