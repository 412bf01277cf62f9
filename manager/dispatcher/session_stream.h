// SessionStream: one worker's stream on the gRPC side: reads go to the strand, batches are written
// in order, the end is orderly.
//
// Holds itself until gRPC is done with it; the server on the strand holds it too, so each may go
// first. The next message is read when the strand asks for it, so a worker cannot fill memory; a
// batch is written message by message and then reported, and the
// dispatcher gives the next only after that: so a stream holds at most one batch.
// A heartbeat that wants no answer does not wake the strand: its time is kept until asked for.
//
// Thread rule: any thread; the mutex guards everything that is not const.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ports/ports.h"
#include "proto/dispatch.grpc.pb.h"

namespace shoal::manager {

class SessionStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called from gRPC's threads. `message` false: the stream is over.
  struct Events {
    std::function<void(const dispatch::WorkerMessage&)> message;
    std::function<void()> written;
    std::function<void()> over;
  };

  static std::shared_ptr<SessionStream> open(grpc::CallbackServerContext* context, Clock& clock,
                                             Events events);

  // Asks for the next message.
  void read();
  // When the newest quiet heartbeat came, if one did since the last call.
  std::optional<Instant> take_heard();
  // The next batch, not empty; the one before was reported as written.
  void write(std::vector<grpc::ByteBuffer> batch);
  // Ends the stream; `leader` (may be empty) goes into the trailing metadata. `stuck`: the write
  // under way is given up.
  void finish(grpc::Status status, const std::string& leader, bool stuck);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  SessionStream(grpc::CallbackServerContext* context, Clock& clock, Events events)
      : context_(context), clock_(clock), events_(std::move(events)) {}
  void finish_locked(grpc::Status status);

  grpc::CallbackServerContext* const context_;  // gone after OnDone
  Clock& clock_;
  const Events events_;
  std::mutex mutex_;
  std::shared_ptr<SessionStream> keep_;
  grpc::ByteBuffer incoming_;
  std::deque<grpc::ByteBuffer> queue_;  // the front is being written
  std::optional<grpc::Status> status_;  // to finish with, once no write is under way
  std::optional<Instant> heard_;
  bool finished_ = false;
  bool done_ = false;
};

}  // namespace shoal::manager
