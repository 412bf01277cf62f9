#include "manager/api/call_stream.h"

#include <algorithm>

#include "base/rpc/status.h"
#include "manager/api/cluster_service.h"

namespace shoal::manager {
namespace {

// Where the call's request is and its answer goes. False: of a kind that is not known here.
bool bind(const control::Call& asked, control::Answer& answer, ClusterCall& call) {
  switch (asked.request_case()) {
#define SHOAL_CALL(name, field)               \
  case control::Call::k##name:                \
    call.method = ClusterMethod::k##name;     \
    call.request = &asked.field();            \
    call.response = answer.mutable_##field(); \
    return true;
    SHOAL_CALL(GetJoinToken, get_join_token)
    SHOAL_CALL(GetUnlockKey, get_unlock_key)
    SHOAL_CALL(UpdateCluster, update_cluster)
    SHOAL_CALL(ListNodes, list_nodes)
    SHOAL_CALL(InspectNode, inspect_node)
    SHOAL_CALL(UpdateNode, update_node)
    SHOAL_CALL(RemoveNode, remove_node)
    SHOAL_CALL(CreateNetwork, create_network)
    SHOAL_CALL(ListNetworks, list_networks)
    SHOAL_CALL(InspectNetwork, inspect_network)
    SHOAL_CALL(RemoveNetwork, remove_network)
    SHOAL_CALL(ListEndpoints, list_endpoints)
    SHOAL_CALL(InspectEndpoint, inspect_endpoint)
    SHOAL_CALL(GetRaftStatus, get_raft_status)
#undef SHOAL_CALL
    case control::Call::REQUEST_NOT_SET:
      return false;
  }
  return false;
}

void put(const Status& status, const std::string& notice, control::Answer& answer) {
  if (status) return answer.set_notice(notice);
  const grpc::Status error = to_grpc(status.error());
  answer.clear_response();
  answer.set_code(static_cast<uint32_t>(error.error_code()));
  answer.set_message(error.error_message());
  answer.set_details(error.error_details());
}

std::chrono::system_clock::time_point deadline_of(const control::Call& asked) {
  const auto now = std::chrono::system_clock::now();
  if (asked.timeout_ms() == 0) return now + kDefaultCallDeadline;
  return now + std::min<std::chrono::milliseconds>(std::chrono::milliseconds(asked.timeout_ms()),
                                                   kMostCallDeadline);
}

}  // namespace

CallStream* CallStream::open(ClusterHandler& handler, const NodeId& manager) {
  const std::shared_ptr<CallStream> stream(new CallStream(handler, manager));
  const std::lock_guard lock(stream->mutex_);
  stream->keep_ = stream;
  stream->read_locked();
  return stream.get();
}

CallStream* CallStream::refuse(ClusterHandler& handler, const grpc::Status& status) {
  const std::shared_ptr<CallStream> stream(new CallStream(handler, NodeId()));
  const std::lock_guard lock(stream->mutex_);
  stream->keep_ = stream;
  stream->finish_locked(status);
  return stream.get();
}

void CallStream::OnReadDone(bool ok) {
  std::shared_ptr<const control::CallBatch> batch;
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (!ok) {
      no_more_ = true;
      return write_locked();
    }
    batch = std::move(incoming_);
    if (batch->calls_size() > kMaxCallsInBatch) {
      return finish_locked(to_grpc(invalid_argument(
          "a batch may have " + std::to_string(kMaxCallsInBatch) + " calls at most")));
    }
    open_ += static_cast<size_t>(batch->calls_size());
  }
  for (const control::Call& asked : batch->calls()) start(batch, asked);
  const std::lock_guard lock(mutex_);
  read_locked();
}

void CallStream::start(const std::shared_ptr<const control::CallBatch>& batch,
                       const control::Call& asked) {
  auto answer = std::make_shared<AnswerPtr>(std::make_unique<control::Answer>());
  (*answer)->set_number(asked.number());
  const auto call = std::make_shared<ClusterCall>();
  if (!bind(asked, **answer, *call)) {
    put(unimplemented("this shoald does not know such a call: it is of another version"), "",
        **answer);
    return answered(std::move(*answer));
  }
  call->deadline = deadline_of(asked);
  if (!manager_.empty()) {
    call->caller = manager_;
    call->forwarded = true;
    if (is_id(asked.request_id())) call->request_id = asked.request_id();
    call->retried_since = asked.retried_since();
  }
  call->done = [self = shared_from_this(), batch, answer,
                weak = std::weak_ptr(call)](const Status& status) {
    const auto ended = weak.lock();  // whoever calls done holds it
    put(status, ended ? ended->notice : "", **answer);
    self->answered(std::move(*answer));
  };
  handler_.handle(call);
}

void CallStream::answered(AnswerPtr answer) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    ready_.push_back(std::move(answer));
    if (writing_ || flushing_) return;
    flushing_ = true;
  }
  handler_.after([self = shared_from_this()] { self->flush(); });
}

void CallStream::flush() {
  const std::lock_guard lock(mutex_);
  flushing_ = false;
  write_locked();
}

void CallStream::read_locked() {
  if (finished_ || reading_ || no_more_ || open_ >= kMaxOpenCalls) return;
  reading_ = true;
  incoming_ = std::make_shared<control::CallBatch>();
  StartRead(incoming_.get());
}

void CallStream::write_locked() {
  if (finished_ || writing_) return;
  if (ready_.empty()) {
    if (no_more_ && open_ == 0) finish_locked(grpc::Status::OK);
    return;
  }
  size_t bytes = 0;
  while (!ready_.empty() && bytes < kAnswerBatchBytes) {
    bytes += ready_.front()->ByteSizeLong();
    outgoing_.mutable_answers()->AddAllocated(ready_.front().release());
    ready_.pop_front();
  }
  writing_ = true;
  StartWrite(&outgoing_);
}

void CallStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  open_ -= static_cast<size_t>(outgoing_.answers_size());
  outgoing_.Clear();
  if (ending_) return Finish(*ending_);
  if (!ok) return finish_locked({grpc::StatusCode::UNAVAILABLE, "the stream broke"});
  write_locked();
  read_locked();
}

void CallStream::OnCancel() {
  const std::lock_guard lock(mutex_);
  finish_locked({grpc::StatusCode::CANCELLED, "the caller went away"});
}

// gRPC takes no Finish while a write is under way.
void CallStream::finish_locked(const grpc::Status& status) {
  if (finished_) return;
  finished_ = true;
  ready_.clear();
  if (writing_) {
    ending_ = status;
  } else {
    Finish(status);
  }
}

void CallStream::OnDone() {
  std::shared_ptr<CallStream> self;
  const std::lock_guard lock(mutex_);
  self = std::move(keep_);
}

}  // namespace shoal::manager
