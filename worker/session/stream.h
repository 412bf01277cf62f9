// One stream of a session: a gRPC call whose events are posted to the strand. Inside SessionClient.
//
// The strand starts writes and ends the stream; gRPC's threads read. The object keeps itself alive
// until gRPC is done with it.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/runtime/strand.h"
#include "proto/dispatch.grpc.pb.h"
#include "worker/session/session.h"

namespace shoal::worker {

// The address a follower named in its trailing metadata.
std::optional<HostPort> leader_of(const grpc::ClientContext& context);

// from_grpc() with the reason why nothing could be reached, without gRPC's words around it: those
// are the command line's sign that its own daemon does not run.
Error error_of(const grpc::Status& status);

// Beside a manager's refusal (manager/dispatcher/server.cc): no leader can come before an operator
// has acted, so waiting for one is in vain.
inline constexpr char kQuorumLostDetails[] = "shoal quorum-lost";

class Stream final
    : public grpc::ClientBidiReactor<dispatch::WorkerMessage, dispatch::ManagerMessage> {
 public:
  // `on_input` is called on the strand for each message and at last with Closed, unless close() was
  // called before.
  static std::shared_ptr<Stream> open(std::shared_ptr<grpc::Channel> channel, Strand& strand,
                                      dispatch::Register registration,
                                      std::function<void(Session::Input)> on_input);

  // Strand only.
  void send_heartbeat(bool quiet);
  // After Register; of several that wait the newest is sent.
  void send_description(common::NodeDescription description);
  void close();

 private:
  Stream(std::shared_ptr<grpc::Channel> channel, Strand& strand,
         std::function<void(Session::Input)> on_input);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void deliver(Session::Input input);
  void end_writing();
  void write_due();

  Strand& strand_;
  std::unique_ptr<dispatch::Dispatcher::Stub> stub_;
  grpc::ClientContext context_;
  dispatch::WorkerMessage out_;
  dispatch::ManagerMessage in_;
  std::shared_ptr<Stream> self_;  // until OnDone
  // Strand only:
  std::function<void(Session::Input)> on_input_;
  bool writing_ = true;
  std::optional<bool> heartbeat_due_;  // whether it may be quiet
  std::optional<common::NodeDescription> description_due_;
  bool holds_ = true;  // gRPC waits for end_writing()
};

}  // namespace shoal::worker
