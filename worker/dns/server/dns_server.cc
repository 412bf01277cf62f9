#include "worker/dns/server/dns_server.h"

#include <unordered_map>

#include "base/runtime/log.h"
#include "worker/dns/server/resolv_conf_follower.h"
#include "worker/dns/server/tcp_listener.h"
#include "worker/dns/server/udp_listener.h"
#include "worker/dns/server/upstream_client.h"

namespace shoal::worker::dns {

class DnsServer::Impl final : public QueryHandler, public std::enable_shared_from_this<Impl> {
 public:
  Impl(Strand& strand, const Clock& clock, Rng& rng)
      : strand_(strand),
        clock_(clock),
        resolver_(names_, rng),
        forwarder_(rng),
        upstreams_(
            strand.context(),
            [this](uint64_t attempt, const HostPort& from, ByteView packet) {
              forwarder_.receive_answer(attempt, from, packet, clock_.now());
              pump();
            },
            [this](uint64_t attempt) {
              forwarder_.receive_failure(attempt, clock_.now());
              pump();
            }),
        timer_(strand.make_timer()) {}

  ~Impl() override {
    timer_->cancel();
    for (auto& [number, sandbox] : sandboxes_) sandbox.close();
  }

  Result<uint16_t> serve(const SandboxKey& key, int netns_fd, View view) {
    if (numbers_.contains(key)) return already_exists("sandbox " + key + " has a resolver already");
    ResolverSockets sockets = SHOAL_TRY(open_resolver_sockets(netns_fd));
    const uint64_t number = next_sandbox_++;
    Sandbox& sandbox = sandboxes_[number];
    sandbox.view = std::move(view);
    sandbox.udp = std::make_shared<UdpListener>(strand_.context(), std::move(sockets.udp), number,
                                                *this, batch_, listener_counters_);
    sandbox.tcp =
        std::make_shared<TcpListener>(strand_.context(), std::move(sockets.tcp), number,
                                      kMaxTcpConnections, *this, tcp_reply_, listener_counters_);
    sandbox.udp->start();
    sandbox.tcp->start();
    numbers_[key] = number;
    return sockets.port;
  }

  Status update(const SandboxKey& key, View view) {
    const auto number = numbers_.find(key);
    if (number == numbers_.end()) return not_found("sandbox " + key + " has no resolver");
    sandboxes_.at(number->second).view = std::move(view);
    return ok_status();
  }

  void stop(const SandboxKey& key) {
    const auto number = numbers_.find(key);
    if (number == numbers_.end()) return;
    sandboxes_.at(number->second).close();
    sandboxes_.erase(number->second);
    forwarder_.cancel_sandbox(number->second);
    numbers_.erase(number);
    pump();
  }

  void set_upstreams(std::vector<HostPort> upstreams) {
    follower_.reset();
    forwarder_.set_upstreams(std::move(upstreams));
  }

  void follow_resolv_conf(std::string path) {
    follower_.emplace(std::move(path));
    look_at_resolv_conf(clock_.now());
  }

  NameTable& names() { return names_; }

  DnsCounters counters() const {
    return {resolver_.counters(), forwarder_.counters(), listener_counters_};
  }

 private:
  struct Sandbox {
    View view;
    std::shared_ptr<UdpListener> udp;
    std::shared_ptr<TcpListener> tcp;

    void close() {
      udp->close();
      tcp->close();
    }
  };

  size_t handle_query(const Client& client, ByteView packet, std::span<uint8_t> out) override {
    const View& view = sandboxes_.at(client.sandbox).view;
    size_t size = 0;
    switch (resolver_.handle(packet, client.transport, view, out, query_, size)) {
      case Disposition::kReply:
        return size;
      case Disposition::kDrop:
        return 0;
      case Disposition::kForward:
        break;
    }
    const Instant now = clock_.now();
    look_at_resolv_conf(now);
    forwarder_.receive(client, query_, now);
    pump();
    return 0;
  }

  void connection_gone(const Client& client) override {
    forwarder_.cancel_connection(client.sandbox, client.connection);
    pump();
  }

  void look_at_resolv_conf(Instant now) {
    if (!follower_) return;
    auto upstreams = follower_->poll(now);
    if (!upstreams) return;
    log::info("dns", "{} upstream resolvers from resolv.conf", upstreams->size());
    forwarder_.set_upstreams(std::move(*upstreams));
  }

  // Carries out what the forwarder wants. What that causes (a reply may let a TCP connection hand
  // in its next query) is picked up by the same loop, not by recursion.
  void pump() {
    if (pumping_) return;
    pumping_ = true;
    for (auto effects = forwarder_.take_effects(); !effects.empty();
         effects = forwarder_.take_effects()) {
      for (ForwarderEffect& effect : effects) apply(effect);
    }
    pumping_ = false;
    arm_timer();
  }

  void apply(ForwarderEffect& effect) {
    if (auto* const send = std::get_if<SendToUpstream>(&effect)) {
      upstreams_.send(std::move(*send));
    } else if (const auto* const close = std::get_if<CloseAttempt>(&effect)) {
      upstreams_.close(close->attempt);
    } else {
      const auto& reply = std::get<ReplyToClient>(effect);
      const auto sandbox = sandboxes_.find(reply.client.sandbox);
      if (sandbox == sandboxes_.end()) return;
      if (reply.client.transport == Transport::kUdp) {
        sandbox->second.udp->send(reply.client, reply.packet);
      } else {
        sandbox->second.tcp->send(reply.client, reply.packet);
      }
    }
  }

  // Waking too early is harmless, so a timer is moved only when something is due sooner.
  void arm_timer() {
    const Instant deadline = forwarder_.next_deadline();
    if (deadline >= armed_for_) return;
    armed_for_ = deadline;
    timer_->wake_at(deadline, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->armed_for_ = Instant::max();
      self->forwarder_.tick(self->clock_.now());
      self->pump();
    });
  }

  Strand& strand_;
  const Clock& clock_;
  NameTable names_;
  Resolver resolver_;
  Forwarder forwarder_;
  UpstreamClient upstreams_;
  UdpBatch batch_;
  Bytes tcp_reply_ = Bytes(kMaxMessageSize);
  ListenerCounters listener_counters_;
  std::optional<ResolvConfFollower> follower_;
  std::unordered_map<SandboxKey, uint64_t> numbers_;
  std::unordered_map<uint64_t, Sandbox> sandboxes_;
  uint64_t next_sandbox_ = 1;
  Query query_;  // of the query being handled
  std::unique_ptr<Timer> timer_;
  Instant armed_for_ = Instant::max();
  bool pumping_ = false;
};

DnsServer::DnsServer(Strand& strand, const Clock& clock, Rng& rng)
    : impl_(std::make_shared<Impl>(strand, clock, rng)) {}

DnsServer::~DnsServer() = default;

Result<uint16_t> DnsServer::serve(const SandboxKey& sandbox, int netns_fd,
                                  std::vector<NetworkId> networks, bool may_forward) {
  return impl_->serve(sandbox, netns_fd, {std::move(networks), may_forward});
}

Status DnsServer::update(const SandboxKey& sandbox, std::vector<NetworkId> networks,
                         bool may_forward) {
  return impl_->update(sandbox, {std::move(networks), may_forward});
}

void DnsServer::stop(const SandboxKey& sandbox) { impl_->stop(sandbox); }

NameTable& DnsServer::names() { return impl_->names(); }

void DnsServer::set_upstreams(std::vector<HostPort> upstreams) {
  impl_->set_upstreams(std::move(upstreams));
}

void DnsServer::follow_resolv_conf(std::string path) { impl_->follow_resolv_conf(std::move(path)); }

DnsCounters DnsServer::counters() const { return impl_->counters(); }

}  // namespace shoal::worker::dns
