// Load: drives one system and measures it. Two threads with a completion queue each take the
// answers; connections are shared by the clients evenly.
//
// Closed loop: each client asks, waits for the answer and asks again; a latency is counted in the
// window in which its answer came. Open loop: calls leave at an even pace, whatever became of
// earlier ones, and a latency begins when its call was due: a system that stalls is charged for all
// that had to wait.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/consensus/api.h"
#include "tests/bench/consensus/histogram.h"

namespace shoal::bench {

struct Phase {
  Op op = Op::kCreate;
  unsigned clients = 1;
  double rate = 0;     // calls per second, open loop; 0: closed loop
  uint64_t count = 0;  // closed loop: so many calls, however long it takes; 0: by time
  uint64_t first = 0;  // number of the first call
  std::chrono::nanoseconds warm_up{};
  std::chrono::nanoseconds measured{};
};

struct Report {
  Histogram latency;                       // of calls that succeeded
  uint64_t calls = 0;                      // made in all, the warm-up's too: numbers used
  std::map<std::string, uint64_t> errors;  // by message
  double seconds = 0;                      // what `latency` covers

  double rate() const { return static_cast<double>(latency.total()) / seconds; }
};

// Open loop: no more calls under way than this; beyond it the system does not keep up.
inline constexpr uint64_t kMostUnderWay = 4096;

Report run(const Api& api, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
           const Phase& phase);

}  // namespace shoal::bench
