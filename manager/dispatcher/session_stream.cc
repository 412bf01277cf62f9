#include "manager/dispatcher/session_stream.h"

#include "manager/api/replica.h"

namespace shoal::manager {

std::shared_ptr<SessionStream> SessionStream::open(grpc::CallbackServerContext* context,
                                                   Clock& clock, Events events) {
  std::shared_ptr<SessionStream> stream(new SessionStream(context, clock, std::move(events)));
  stream->keep_ = stream;
  return stream;
}

void SessionStream::read() {
  const std::lock_guard lock(mutex_);
  if (!done_ && !finished_) StartRead(&incoming_);
}

std::optional<Instant> SessionStream::take_heard() {
  const std::lock_guard lock(mutex_);
  return std::exchange(heard_, std::nullopt);
}

void SessionStream::write(std::vector<grpc::ByteBuffer> batch) {
  const std::lock_guard lock(mutex_);
  if (done_ || finished_ || status_) return;
  const bool idle = queue_.empty();
  for (auto& message : batch) queue_.push_back(std::move(message));
  if (idle) StartWrite(&queue_.front());
}

void SessionStream::finish(grpc::Status status, const std::string& leader, bool stuck) {
  const std::lock_guard lock(mutex_);
  if (done_ || finished_ || status_) return;
  if (!leader.empty()) context_->AddTrailingMetadata(kLeaderMetadata, leader);
  if (stuck) context_->TryCancel();
  finish_locked(std::move(status));
}

// gRPC takes no Finish while a write is under way.
void SessionStream::finish_locked(grpc::Status status) {
  if (finished_) return;
  if (!status_) status_ = std::move(status);
  if (!queue_.empty()) return;
  finished_ = true;
  Finish(*status_);
}

void SessionStream::OnReadDone(bool ok) {
  grpc::Status over = grpc::Status::OK;
  if (ok) {
    dispatch::WorkerMessage message;
    over = grpc::SerializationTraits<dispatch::WorkerMessage>::Deserialize(&incoming_, &message);
    const bool quiet = message.has_heartbeat() && message.heartbeat().quiet();
    if (over.ok() && !quiet) return events_.message(message);
    if (over.ok()) {
      const std::lock_guard lock(mutex_);
      heard_ = clock_.now();
      if (!done_ && !finished_) StartRead(&incoming_);
      return;
    }
  }
  const std::lock_guard lock(mutex_);
  finish_locked(over);
}

void SessionStream::OnWriteDone(bool ok) {
  bool written = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (!ok || status_) {
      queue_.clear();
      finish_locked(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream broke"));
    } else if (!queue_.empty()) {
      StartWrite(&queue_.front());
    } else {
      written = true;
    }
  }
  if (written) events_.written();
}

void SessionStream::OnCancel() {
  const std::lock_guard lock(mutex_);
  finish_locked(grpc::Status(grpc::StatusCode::CANCELLED, "the worker went away"));
}

void SessionStream::OnDone() {
  std::shared_ptr<SessionStream> self;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
    self = std::move(keep_);
  }
  events_.over();
}

}  // namespace shoal::manager
