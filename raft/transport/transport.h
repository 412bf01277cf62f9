// NetTransport: raft messages on links of their own (link.h), which come in on the daemon's cluster
// port; snapshots over the gRPC server there.
//
// Each member dials a link to each other one (peer.h) and takes the others' (inbound.h).
//
// Thread rule: construct anywhere; accept() from any thread; send, set_members, set_handlers and
// stop on the strand. To end: stop(), shut the gRPC server down while the strand still runs, accept
// nothing any more, let what was posted run, then destroy. The strand outlives the transport.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "base/runtime/strand.h"
#include "base/types/id.h"
#include "raft/driver/ports.h"
#include "raft/transport/inbound.h"
#include "raft/transport/peer.h"
#include "raft/transport/snapshot_receiver.h"

namespace shoal::raft {

class RaftService;

class NetTransport final : public Transport {
 public:
  using ChannelFactory = std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
  // Who may open a link or bring a snapshot, and for which member it may speak. An error ends it.
  // Called on the strand, and until the gRPC server is down on gRPC's threads.
  struct Admission {
    // The node that brings a snapshot or opens a link, by its certificate.
    std::function<Result<NodeId>(const grpc::ServerContextBase&)> identify;
    std::function<Result<NodeId>(SSL& tls)> identify_link;
    // Whether that node is the raft member `from`. Asked for each envelope, not for the hello
    // alone: membership changes while links are open.
    std::function<Status(const NodeId& node, RaftId from)> admit;
  };
  // Contexts with our certificate of now, which verify the other side's. Called on the strand. An
  // error is as a link that breaks.
  struct Tls {
    std::function<Result<TlsContext>()> client;
    std::function<Result<TlsContext>()> server;
  };

  struct Config {
    RaftId self = 0;
    std::string cluster_id;  // links of another cluster are refused
    std::string address;     // host:port where others reach us
    SnapshotInbox& inbox;    // outlives the transport
    // Counts up when the group is founded anew; told to those who are refused, so that members of
    // the former group learn that there is a later one. Asked on gRPC's threads.
    std::function<uint64_t()> epoch = [] { return uint64_t{0}; };
  };
  struct Handlers {
    std::function<void(Message)> receive;
    std::function<void(RaftId to, bool delivered)> report_snapshot;
    // A member refused our link (kPermissionDenied) and is of this epoch; 0: it did not say.
    std::function<void(RaftId by, uint64_t epoch, const std::string& message)> refused = nullptr;
  };

  NetTransport(Config config, Strand& strand, Clock& clock, Rng& rng, Tls tls,
               ChannelFactory channels, Admission admission);
  ~NetTransport() override;

  // Usually Driver::receive and Driver::report_snapshot; before it, what arrives is dropped.
  void set_handlers(Handlers handlers);
  // A connection that begins with kPreface's first byte. Closed when the transport is stopped.
  void accept(UniqueFd socket);
  // To be registered on the server; lives as long as the transport.
  grpc::Service& service();

  void send(RaftId to, Message message) override;
  void set_members(const std::vector<Member>& members) override;
  // Closes all links and drops what arrives.
  void stop();

  uint64_t dropped() const { return shared_.dropped; }

 private:
  friend class RaftService;
  void deliver(Message message);
  void greet(RaftId from, const std::string& address);
  void take(UniqueFd socket);

  Strand& strand_;
  Handlers handlers_;
  Peer::Shared shared_;
  std::map<RaftId, std::shared_ptr<Peer>> peers_;
  // Who sent us something without being a member that we know of: a leader that was added after
  // what our log tells. Answers go to the address it gave.
  std::map<RaftId, std::shared_ptr<Peer>> guests_;
  std::vector<std::shared_ptr<Peer>> leaving_;  // sending their last messages
  const Tls tls_;
  std::unique_ptr<RaftService> service_;
  std::set<std::shared_ptr<Inbound>> inbound_;
  std::shared_ptr<int> running_ = std::make_shared<int>();  // until stop()
  SnapshotReceiver receiver_;                               // its thread uses what is above
};

}  // namespace shoal::raft
