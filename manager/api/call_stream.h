// CallStream: control.Cluster's Calls: many calls of one client on one stream.
//
// Each call of a batch becomes a ClusterCall of its own. Answers are written together: those that
// are ready when the handler's thread has finished what it is at, and then those that came while
// they were written. A client's calls that are not answered yet are bounded: beyond kMaxOpenCalls
// no more are read, and the client's sending waits.
//
// Thread rule: any thread; the mutex guards everything that is not const.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "manager/api/cluster_call.h"
#include "proto/control.grpc.pb.h"

namespace shoal::manager {

// Calls of one batch; a larger one ends the stream.
inline constexpr int kMaxCallsInBatch = 1024;
// Of one stream: read and not answered, or answered and not written.
inline constexpr size_t kMaxOpenCalls = 1024;
// Answers are written in messages of about this; a single one may be larger.
inline constexpr size_t kAnswerBatchBytes = 256U << 10;

class CallStream final : public grpc::ServerBidiReactor<control::CallBatch, control::AnswerBatch>,
                         public std::enable_shared_from_this<CallStream> {
 public:
  // `manager`: the manager that forwards these calls; empty on the local socket. Holds itself until
  // gRPC is done with it; `handler` must outlive the server.
  static CallStream* open(ClusterHandler& handler, const NodeId& manager);
  // One that ends at once.
  static CallStream* refuse(ClusterHandler& handler, const grpc::Status& status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using AnswerPtr = std::unique_ptr<control::Answer>;

  CallStream(ClusterHandler& handler, NodeId manager)
      : handler_(handler), manager_(std::move(manager)) {}
  void start(const std::shared_ptr<const control::CallBatch>& batch, const control::Call& asked);
  void answered(AnswerPtr answer);
  void flush();
  void read_locked();
  void write_locked();
  void finish_locked(const grpc::Status& status);

  ClusterHandler& handler_;
  const NodeId manager_;

  std::mutex mutex_;
  std::shared_ptr<CallStream> keep_;
  std::shared_ptr<control::CallBatch> incoming_;
  std::deque<AnswerPtr> ready_;
  control::AnswerBatch outgoing_;  // being written while `writing_`
  size_t open_ = 0;
  bool reading_ = false;
  bool writing_ = false;
  bool flushing_ = false;               // flush() is on its way
  bool no_more_ = false;                // the client has sent all
  bool finished_ = false;               // nothing more is read or written
  std::optional<grpc::Status> ending_;  // to finish with when the write under way is over
};

}  // namespace shoal::manager
