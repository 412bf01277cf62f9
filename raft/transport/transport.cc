#include "raft/transport/transport.h"

#include <algorithm>
#include <set>

#include "raft/transport/service.h"

namespace shoal::raft {

GrpcTransport::GrpcTransport(Config config, Strand& strand, Clock& clock, Rng& rng,
                             ChannelFactory channels, Admission admission)
    : strand_(strand),
      shared_{.self = config.self,
              .cluster_id = config.cluster_id,
              .address = config.address,
              .strand = strand,
              .clock = clock,
              .rng = rng,
              .make_channel = std::move(channels),
              .report_snapshot = nullptr,
              .snapshot_rate = SendRate(clock),
              .refused = nullptr,
              .streams = std::make_shared<StreamCount>()},
      service_(std::make_unique<RaftService>(*this, config, std::move(admission))),
      receiver_(config.inbox) {}

GrpcTransport::~GrpcTransport() {
  stop();
  std::unique_lock lock(shared_.streams->mutex);
  shared_.streams->none.wait(lock, [this] { return shared_.streams->count == 0; });
}

void GrpcTransport::set_handlers(Handlers handlers) {
  handlers_ = std::move(handlers);
  shared_.report_snapshot = handlers_.report_snapshot;
  shared_.refused = handlers_.refused;
}

grpc::Service& GrpcTransport::service() { return *service_; }

void GrpcTransport::send(RaftId to, Message message) {
  if (const auto peer = peers_.find(to); peer != peers_.end()) {
    peer->second->send(std::move(message));
  } else if (const auto guest = guests_.find(to); guest != guests_.end()) {
    guest->second->send(std::move(message));
  } else {
    ++shared_.dropped;
  }
}

void GrpcTransport::set_members(const std::vector<Member>& members) {
  std::erase_if(leaving_, [](const auto& peer) { return !peer->connected(); });
  std::set<RaftId> present;
  for (const Member& member : members) {
    if (member.id == shared_.self) continue;
    present.insert(member.id);
    guests_.erase(member.id);
    auto& peer = peers_[member.id];
    if (!peer || peer->address() != member.address) peer = std::make_shared<Peer>(shared_, member);
  }
  std::erase_if(peers_, [&](const auto& item) {
    if (present.contains(item.first)) return false;
    item.second->close_when_drained();
    leaving_.push_back(item.second);
    return true;
  });
}

void GrpcTransport::greet(RaftId from, const std::string& address) {
  if (peers_.contains(from) || address.empty()) return;
  auto& guest = guests_[from];
  if (!guest || guest->address() != address) {
    guest = std::make_shared<Peer>(shared_, Member{from, address, false});
  }
  if (guests_.size() > kMaxMembers) guests_.erase(guests_.begin());
}

void GrpcTransport::deliver(Message message) {
  for (auto* known : {&peers_, &guests_}) {
    if (const auto peer = known->find(message.from); peer != known->end()) peer->second->heard();
  }
  if (handlers_.receive) handlers_.receive(std::move(message));
}

void GrpcTransport::stop() {
  handlers_ = {};
  shared_.report_snapshot = nullptr;
  shared_.refused = nullptr;
  peers_.clear();
  guests_.clear();
  leaving_.clear();
}

grpc::ChannelArguments raft_channel_arguments() {
  grpc::ChannelArguments arguments;
  // A member that comes back is reached within a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A new channel is a new connection: an old one may hang on a path that is gone.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace shoal::raft
