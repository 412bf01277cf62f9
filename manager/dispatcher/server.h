// DispatcherServer: dispatch.Dispatcher over gRPC, and the shell of the Dispatcher core.
//
// Thread rule: the service methods run on gRPC's threads and post; everything else on the strand.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/runtime/strand.h"
#include "manager/api/replica.h"
#include "manager/dispatcher/dispatcher.h"
#include "manager/dispatcher/session_stream.h"

namespace shoal::manager {

// Streams open at once. One per node, and some that end.
inline constexpr size_t kMaxStreams = 16384;
// Attach and detach calls under way at once.
inline constexpr size_t kMaxAttachCalls = 4096;

// A new leader asks again after this whether its store is complete.
inline constexpr Duration kCatchUpAgain = std::chrono::milliseconds(50);

// After a pause a change is told at once; more of them, as often as this and together.
inline constexpr Duration kPushInterval = std::chrono::milliseconds(20);

// Sessions carry bytes: what many are told is encoded once.
using DispatchService = dispatch::Dispatcher::WithRawCallbackMethod_Session<
    dispatch::Dispatcher::WithCallbackMethod_AttachEndpoint<
        dispatch::Dispatcher::WithCallbackMethod_DetachEndpoint<dispatch::Dispatcher::Service>>>;

class DispatcherServer final : public DispatchService {
 public:
  DispatcherServer(Strand& strand, Clock& clock, Replica& replica);

  // On the strand.
  void leader_changed();
  void applied(const std::vector<Change>& changes);
  void store_replaced();
  void stop();
  const Dispatcher& core() const { return core_; }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* AttachEndpoint(grpc::CallbackServerContext* context,
                                           const dispatch::AttachEndpointRequest* request,
                                           dispatch::AttachEndpointResponse* response) override;
  grpc::ServerUnaryReactor* DetachEndpoint(grpc::CallbackServerContext* context,
                                           const dispatch::DetachEndpointRequest* request,
                                           dispatch::DetachEndpointResponse* response) override;

 private:
  struct Unary {
    grpc::CallbackServerContext* context = nullptr;
    grpc::ServerUnaryReactor* reactor = nullptr;
    Caller caller;
  };

  void post(std::function<void()> work);
  void open(StreamId id, const Caller& caller, const std::shared_ptr<SessionStream>& stream);
  void receive(StreamId id, const dispatch::WorkerMessage& message);
  void attach(const Unary& call, const dispatch::AttachEndpointRequest& request,
              dispatch::AttachEndpointResponse* response);
  void detach(const Unary& call, const dispatch::DetachEndpointRequest& request);
  Status may_dispatch(const Caller& caller) const;
  grpc::Status refusal(const Error& error) const;
  Status admit_unary(const Unary& call);
  void finish(const Unary& call, const Status& status);
  void catch_up();
  grpc::ByteBuffer encode(const Told& told);
  void ask_who_was_heard();
  void pump();
  std::string leader_text() const;

  Strand& strand_;
  Clock& clock_;
  Replica& replica_;
  Dispatcher core_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> catch_up_timer_;
  std::unique_ptr<Timer> push_timer_;
  std::unordered_map<StreamId, std::shared_ptr<SessionStream>> streams_;
  std::map<SharedNews, grpc::Slice> encoded_;  // while the core holds it
  std::atomic<StreamId> next_stream_{1};
  size_t unary_calls_ = 0;
  bool stopped_ = false;
  bool pumping_ = false;
  bool push_due_ = false;
  Instant pushed_;  // when changes were last told
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
