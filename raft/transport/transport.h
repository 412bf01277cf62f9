// GrpcTransport: raft messages over the daemon's gRPC server and its channels to other members.
//
// Each member has a client stream to each other one (raft/transport/peer.h); the service here takes
// the others' streams. What arrives is checked (raft/transport/wire.h) and posted to the strand;
// the next message of a stream is read when the strand has taken the last, so a peer cannot fill
// memory.
//
// Thread rule: construct anywhere; send, set_members, set_handlers and stop on the strand. To end:
// stop(), shut the gRPC server down (with a deadline, for streams have no end of their own) while
// the strand still runs, then destroy. The strand outlives
// the transport.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/channel_arguments.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "base/types/id.h"
#include "raft/driver/ports.h"
#include "raft/transport/peer.h"
#include "raft/transport/snapshot_receiver.h"

namespace shoal::raft {

class RaftService;

class GrpcTransport final : public Transport {
 public:
  using ChannelFactory = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
  // Who may open a stream, and for which member it may speak. An error ends the stream. Called on
  // gRPC's threads, until the gRPC server is down.
  struct Admission {
    // The node that opens the stream, by its certificate.
    std::function<Result<NodeId>(const grpc::ServerContextBase&)> identify;
    // Whether that node is the raft member `from`. Asked for each envelope, not for the hello
    // alone: membership changes while streams are open.
    std::function<Status(const NodeId& node, RaftId from)> admit;
  };

  struct Config {
    RaftId self = 0;
    std::string cluster_id;  // streams of another cluster are refused
    std::string address;     // host:port where others reach us
    SnapshotInbox& inbox;    // outlives the transport
    // Counts up when the group is founded anew; told to those who are refused, so that members of
    // the former group learn that there is a later one. Asked on gRPC's threads.
    std::function<uint64_t()> epoch = [] { return uint64_t{0}; };
  };
  struct Handlers {
    std::function<void(Message)> receive;
    std::function<void(RaftId to, bool delivered)> report_snapshot;
    // A member refused our stream (kPermissionDenied) and is of this epoch; 0: it did not say.
    std::function<void(RaftId by, uint64_t epoch, const std::string& message)> refused = nullptr;
  };

  GrpcTransport(Config config, Strand& strand, Clock& clock, Rng& rng, ChannelFactory channels,
                Admission admission);
  ~GrpcTransport() override;

  // Usually Driver::receive and Driver::report_snapshot; before it, what arrives is dropped.
  void set_handlers(Handlers handlers);
  // To be registered on the server; lives as long as the transport.
  grpc::Service& service();

  void send(RaftId to, Message message) override;
  void set_members(const std::vector<Member>& members) override;
  // Closes the streams to others and drops what arrives.
  void stop();

  uint64_t dropped() const { return shared_.dropped; }

 private:
  friend class RaftService;
  void deliver(Message message);
  void greet(RaftId from, const std::string& address);

  Strand& strand_;
  Handlers handlers_;
  Peer::Shared shared_;
  std::map<RaftId, std::shared_ptr<Peer>> peers_;
  // Who sent us something without being a member that we know of: a leader that was added after
  // what our log tells. Answers go to the address it gave.
  std::map<RaftId, std::shared_ptr<Peer>> guests_;
  std::vector<std::shared_ptr<Peer>> leaving_;  // sending their last messages
  std::unique_ptr<RaftService> service_;
  SnapshotReceiver receiver_;  // its thread uses what is above
};

// What a channel for raft needs: quick reconnection, own connection, bounded messages. Add the
// credentials.
grpc::ChannelArguments raft_channel_arguments();

}  // namespace shoal::raft
