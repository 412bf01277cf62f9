// SnapshotReceiver: takes the snapshots that other members send into the inbox, and hands them on
// when they are whole. Of several at once the one offered last wins.
//
// Thread rule: offer(), add() on its own thread only (post()); made and ended anywhere.
#pragma once

#include <functional>
#include <memory>

#include "base/runtime/strand.h"
#include "base/types/id.h"
#include "proto/raft.grpc.pb.h"
#include "raft/driver/ports.h"
#include "raft/transport/wire.h"

namespace shoal::raft {

class SnapshotReceiver {
 public:
  explicit SnapshotReceiver(SnapshotInbox& inbox) : inbox_(inbox), thread_("raft-receive") {}

  void post(std::function<void()> job) { thread_.post(std::move(job)); }

  // How much of it is here; `turn` stands for this offer from now on.
  Result<uint64_t> offer(const SnapshotOffer& offer, uint64_t& turn);
  // How much is here then. kUnavailable: another was offered meanwhile.
  Result<uint64_t> add(uint64_t turn, const wire::SnapshotChunk& chunk);
  Result<std::shared_ptr<const Snapshot>> finish(uint64_t turn);

 private:
  SnapshotInbox& inbox_;
  uint64_t turn_ = 0;
  WorkThread thread_;
};

class RaftService;

// The server's side of one Snapshot call, for the node that made it.
grpc::ServerBidiReactor<wire::SnapshotPiece, wire::SnapshotProgress>* make_snapshot_stream(
    RaftService& service, SnapshotReceiver& receiver, NodeId node);

}  // namespace shoal::raft
