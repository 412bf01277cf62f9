// RaftService: what the transport takes from other members: who they are, what is refused, and the
// gRPC service of snapshots, whose reactors run on gRPC's threads and post to the strand.
#pragma once

#include <atomic>
#include <string>

#include "proto/raft.grpc.pb.h"
#include "raft/transport/transport.h"

namespace shoal::raft {

class RaftService final : public wire::Raft::CallbackService {
 public:
  RaftService(NetTransport& transport, NetTransport::Config config,
              NetTransport::Admission admission)
      : transport_(transport), config_(std::move(config)), admission_(std::move(admission)) {}

  grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* Snapshot(
      grpc::CallbackServerContext* context) override;

  // What begins a link or a snapshot: the sender, or why it is refused.
  Result<RaftId> check_hello(const wire::Hello& hello) const;
  Result<NodeId> identify(SSL& tls) const { return admission_.identify_link(tls); }
  Status admit(const NodeId& node, RaftId from) const { return admission_.admit(node, from); }
  Strand& strand() { return transport_.strand_; }
  void greet(RaftId from, const std::string& address) { transport_.greet(from, address); }
  void deliver(Message message) { transport_.deliver(std::move(message)); }
  RaftId self() const { return config_.self; }
  // How a call ends that is refused.
  grpc::Status refusal(const Error& error) const;
  // And a link: as a frame. Says our epoch, too.
  std::string refusal_frame(const Error& error) const;

 private:
  NetTransport& transport_;
  const NetTransport::Config config_;
  const NetTransport::Admission admission_;
};

}  // namespace shoal::raft
