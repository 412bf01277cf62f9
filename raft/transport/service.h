// RaftService: the server side of the transport. Reactors run on gRPC threads and post to the
// strand.
#pragma once

#include <atomic>
#include <string>

#include "proto/raft.grpc.pb.h"
#include "raft/transport/transport.h"

namespace shoal::raft {

class RaftService final : public wire::Raft::CallbackService {
 public:
  RaftService(GrpcTransport& transport, GrpcTransport::Config config,
              GrpcTransport::Admission admission)
      : transport_(transport), config_(std::move(config)), admission_(std::move(admission)) {}

  grpc::ServerReadReactor<wire::Envelope>* Stream(grpc::CallbackServerContext* context,
                                                  wire::StreamAck* ack) override;

  grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* Snapshot(
      grpc::CallbackServerContext* context) override;

  // What begins a stream: the sender, or why it is refused.
  Result<RaftId> check_hello(const wire::Hello& hello) const;
  Status admit(const NodeId& node, RaftId from) const { return admission_.admit(node, from); }
  Strand& strand() { return transport_.strand_; }
  void greet(RaftId from, const std::string& address) { transport_.greet(from, address); }
  void deliver(Message message) { transport_.deliver(std::move(message)); }
  RaftId self() const { return config_.self; }
  // How a call ends that is refused; says our epoch, too.
  grpc::Status refusal(const Error& error) const;

 private:
  GrpcTransport& transport_;
  const GrpcTransport::Config config_;
  const GrpcTransport::Admission admission_;
};

}  // namespace shoal::raft
