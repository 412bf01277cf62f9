#include "raft/transport/transport.h"

#include <algorithm>
#include <set>

#include "raft/transport/service.h"

namespace shoal::raft {

NetTransport::NetTransport(Config config, Strand& strand, Clock& clock, Rng& rng, Tls tls,
                           ChannelFactory channels, Admission admission)
    : strand_(strand),
      shared_{.self = config.self,
              .cluster_id = config.cluster_id,
              .address = config.address,
              .strand = strand,
              .clock = clock,
              .rng = rng,
              .tls = tls.client,
              .make_channel = std::move(channels),
              .report_snapshot = nullptr,
              .snapshot_rate = SendRate(clock),
              .refused = nullptr},
      tls_(std::move(tls)),
      service_(std::make_unique<RaftService>(*this, config, std::move(admission))),
      receiver_(config.inbox) {}

NetTransport::~NetTransport() { stop(); }

void NetTransport::set_handlers(Handlers handlers) {
  handlers_ = std::move(handlers);
  shared_.report_snapshot = handlers_.report_snapshot;
  shared_.refused = handlers_.refused;
}

grpc::Service& NetTransport::service() { return *service_; }

void NetTransport::send(RaftId to, Message message) {
  if (const auto peer = peers_.find(to); peer != peers_.end()) {
    peer->second->send(std::move(message));
  } else if (const auto guest = guests_.find(to); guest != guests_.end()) {
    guest->second->send(std::move(message));
  } else {
    ++shared_.dropped;
  }
}

void NetTransport::set_members(const std::vector<Member>& members) {
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

void NetTransport::greet(RaftId from, const std::string& address) {
  if (peers_.contains(from) || address.empty()) return;
  auto& guest = guests_[from];
  if (!guest || guest->address() != address) {
    guest = std::make_shared<Peer>(shared_, Member{from, address, false});
  }
  if (guests_.size() > kMaxMembers) guests_.erase(guests_.begin());
}

void NetTransport::deliver(Message message) {
  for (auto* known : {&peers_, &guests_}) {
    if (const auto peer = known->find(message.from); peer != known->end()) peer->second->heard();
  }
  if (handlers_.receive) handlers_.receive(std::move(message));
}

void NetTransport::accept(UniqueFd socket) {
  strand_.post([this, running = std::weak_ptr(running_),
                socket = std::make_shared<UniqueFd>(std::move(socket))] {
    if (!running.expired()) take(std::move(*socket));
  });
}

void NetTransport::take(UniqueFd socket) {
  auto tls = tls_.server();
  if (!tls) return;
  const auto inbound = std::make_shared<Inbound>(*service_);
  inbound_.insert(inbound);
  // Whoever ends is forgotten after it has ended.
  inbound->start(strand_.context(), std::move(socket), std::move(*tls),
                 [this, self = std::weak_ptr(inbound)] { inbound_.erase(self.lock()); });
}

void NetTransport::stop() {
  running_.reset();
  for (const auto& inbound : inbound_) inbound->close();
  inbound_.clear();
  handlers_ = {};
  shared_.report_snapshot = nullptr;
  shared_.refused = nullptr;
  peers_.clear();
  guests_.clear();
  leaving_.clear();
}

}  // namespace shoal::raft
