// StreamConnection: Shoal's Calls. What is asked while a batch is being written leaves with the
// next.
#pragma once

#include "proto/control.grpc.pb.h"
#include "tests/bench/consensus/api.h"

namespace shoal::bench {

class StreamMessages {
 public:
  virtual ~StreamMessages() = default;
  virtual void fill(Op op, uint64_t number, control::Call& call) const = 0;
  // Whether an answer without an error is what was asked for.
  virtual bool accept(const control::Answer& answer) const = 0;
};

// `messages` outlives it; it outlives the events of `queue`.
std::unique_ptr<Connection> stream_connection(const StreamMessages& messages,
                                              const std::shared_ptr<grpc::Channel>& channel,
                                              grpc::CompletionQueue& queue);

}  // namespace shoal::bench
