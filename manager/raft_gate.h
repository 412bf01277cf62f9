// RaftGate: the raft service of a gRPC server that runs before this node knows its raft id (it
// learns it by joining): refuses snapshots until the transport is there, then hands them over.
#pragma once

#include <atomic>

#include "raft/transport/service.h"

namespace shoal::manager {

class RaftGate final : public raft::wire::Raft::CallbackService {
 public:
  using SnapshotReactor =
      grpc::ServerBidiReactor<raft::wire::SnapshotPiece, raft::wire::SnapshotProgress>;

  // The transport outlives the gRPC server.
  void open(raft::NetTransport& transport) {
    service_ = static_cast<raft::RaftService*>(&transport.service());
  }

  SnapshotReactor* Snapshot(grpc::CallbackServerContext* context) override {
    if (raft::RaftService* service = service_) return service->Snapshot(context);
    return new Refusal<SnapshotReactor>;
  }

 private:
  template <typename Reactor>
  class Refusal final : public Reactor {
   public:
    Refusal() {
      this->Finish(
          grpc::Status(grpc::StatusCode::UNAVAILABLE, "this manager has not joined raft yet"));
    }
    void OnDone() override { delete this; }
  };

  std::atomic<raft::RaftService*> service_{nullptr};
};

}  // namespace shoal::manager
