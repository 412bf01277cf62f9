#include "gossip/driver/gossip.h"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include "base/runtime/log.h"
#include "gossip/driver/datagrams.h"
#include "gossip/driver/endpoint.h"
#include "gossip/driver/rate_limit.h"
#include "gossip/driver/streams.h"
#include "gossip/node/core.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using ErrorCode = boost::system::error_code;

// Batches of datagrams taken per turn of the strand, so that a flood leaves turns to others.
constexpr int kReceiveBatches = 2;
// A free port for TCP may be taken for UDP: others are tried.
constexpr int kPortTries = 16;
// While the socket holds more, time is not judged, as the answer that is waited for may be among
// it; but no flood holds the clock for longer than this.
constexpr Duration kMaxPutOff = std::chrono::milliseconds(100);
// A deadline in the past wakes no sooner than this: no core can spin the strand.
constexpr Duration kMinWait = std::chrono::milliseconds(1);

// What a jumbo frame saves in packets is not worth the paths that do not carry it.
constexpr size_t kMostMtu = 1500;

// What a datagram may have on the link.
size_t packet_budget(const Config& config) {
  const size_t headers = config.advertise.ip.is_v4() ? 28 : 48;  // IP and UDP
  const size_t mtu = std::min(config.link_mtu, kMostMtu);
  return mtu > headers ? mtu - headers : 0;
}

struct Sockets {
  udp::socket datagrams;
  tcp::acceptor acceptor;
};

Error bind_error(const ErrorCode& error, const HostPort& at) {
  if (error == boost::asio::error::address_in_use) {
    return already_exists("port " + std::to_string(at.port) + " is taken on " + at.ip.str() +
                          ": stop what listens there or choose another gossip port");
  }
  return unavailable("cannot listen on " + at.str() + ": " + error.message());
}

Result<Sockets> bind_sockets(boost::asio::io_context& context, const HostPort& at) {
  Sockets sockets{udp::socket(context), tcp::acceptor(context)};
  ErrorCode error;
  const tcp::endpoint stream(to_address(at.ip), at.port);
  sockets.acceptor.open(stream.protocol(), error);
  if (error) return bind_error(error, at);
  sockets.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!at.ip.is_v4()) {
    sockets.acceptor.set_option(boost::asio::ip::v6_only(!at.ip.is_unspecified()), error);
  }
  sockets.acceptor.bind(stream, error);
  if (!error) sockets.acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return bind_error(error, at);
  const udp::endpoint datagram(to_address(at.ip), sockets.acceptor.local_endpoint().port());
  sockets.datagrams.open(datagram.protocol(), error);
  if (error) return bind_error(error, at);
  if (!at.ip.is_v4()) {
    sockets.datagrams.set_option(boost::asio::ip::v6_only(!at.ip.is_unspecified()), error);
  }
  sockets.datagrams.bind(datagram, error);
  if (error) return bind_error(error, at);
  sockets.datagrams.non_blocking(true, error);
  if (error) return bind_error(error, at);
  return sockets;
}

static_assert(Gossip::kMaxSeeds == Swim::kMaxSeeds);

// What runs; kept alive by the handle, and weakly known to what it started.
class Driver : public std::enable_shared_from_this<Driver> {
 public:
  Driver(const Config& config, KeyRing keys, Sockets sockets, Strand& strand, Clock& clock,
         Rng& rng, Observer& observer)
      : strand_(strand),
        clock_(clock),
        rng_(rng),
        observer_(observer),
        guard_(config.cluster, config.self, config.epoch, std::move(keys), rng),
        core_({config.self, config.advertise, config.epoch, packet_budget(config), config.swim,
               config.table},
              rng, clock.now()),
        tcp_timeout_(config.swim.tcp_timeout),
        bound_(config.bind),
        advertised_(config.advertise),
        datagrams_(std::move(sockets.datagrams), bound_.ip.family()),
        rate_limit_(rng.next()),
        streams_(
            strand, clock, std::move(sockets.acceptor),
            {[this](PacketKind kind, ByteView header) { return guard_.check_header(kind, header); },
             [this](std::span<uint8_t> question) { return answer(question); },
             [this](DropReason reason) { core_.count_drop(reason); }}),
        timer_(strand.make_timer()) {}

  void start() {
    streams_.start();
    wait_datagrams();
    wake_soon();
  }
  void stop();
  // Runs the core at the end of this turn of the strand.
  void wake_soon();
  void set_keys(KeyRing keys) { guard_.set_keys(std::move(keys)); }
  void leave(std::function<void()> done);

  Core& core() { return core_; }
  Instant now() const { return clock_.now(); }
  Counters counters() const;
  const HostPort& bound() const { return bound_; }
  const HostPort& advertised() const { return advertised_; }

 private:
  void wait_datagrams();
  bool receive_datagrams();
  void receive(const Datagrams::Received& received, Instant now);
  Bytes answer(std::span<uint8_t> question);
  std::optional<ByteView> open_answer(std::optional<Bytes>& sealed, const QuestionName& question);
  void ask(Effects::Exchange exchange);
  void probe(Effects::TcpProbe probe);
  void send(const Effects::Datagram& datagram);
  void run();
  void tell(const Effects& effects);

  Strand& strand_;
  Clock& clock_;
  Rng& rng_;
  Observer& observer_;
  Guard guard_;
  Core core_;
  Duration tcp_timeout_;
  HostPort bound_;
  HostPort advertised_;
  Datagrams datagrams_;
  RateLimit rate_limit_;
  Streams streams_;
  std::unique_ptr<Timer> timer_;
  std::function<void()> left_;
  bool waking_ = false;
  std::optional<Instant> put_off_;  // since when the tick waits for the socket to be empty
  bool stopped_ = false;
  uint64_t packets_received_ = 0;
  uint64_t bytes_received_ = 0;
};

void Driver::stop() {
  if (stopped_) return;
  stopped_ = true;
  datagrams_.close();
  streams_.close();
  timer_->cancel();
}

void Driver::wake_soon() {
  if (waking_ || stopped_) return;
  waking_ = true;
  strand_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Driver::run() {
  if (stopped_) return;
  waking_ = true;  // this is the run for what is received now
  const bool drained = receive_datagrams();
  waking_ = false;
  const Instant now = clock_.now();
  if (!drained && now - put_off_.value_or(now) < kMaxPutOff) {
    put_off_ = put_off_.value_or(now);
    return wake_soon();
  }
  put_off_.reset();
  core_.tick(now);
  Effects effects = core_.take_effects(now);
  for (const Effects::Datagram& datagram : effects.datagrams) send(datagram);
  datagrams_.flush();
  if (datagrams_.take_too_large()) core_.too_large(now);
  for (Effects::Exchange& exchange : effects.exchanges) ask(std::move(exchange));
  for (Effects::TcpProbe& asked : effects.tcp_probes) probe(std::move(asked));
  tell(effects);
  if (stopped_) return;
  timer_->wake_at(std::max(core_.next_deadline(), now + kMinWait), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Driver::tell(const Effects& effects) {
  for (const MemberInfo& member : effects.members) {
    if (stopped_) return;
    log::debug("gossip", "member {} at {} is {}", member.id.str(), member.address.str(),
               to_string(member.state));
    observer_.on_member(member);
  }
  for (const Tables::Event& event : effects.entries) {
    if (stopped_) return;
    if (event.removed) {
      observer_.on_entry_removed(event.network, event.key, event.owner);
    } else {
      observer_.on_entry(event.network, event.key, event.owner, event.value);
    }
  }
  if (effects.left && left_) std::exchange(left_, nullptr)();
}

void Driver::leave(std::function<void()> done) {
  left_ = std::move(done);
  core_.leave(clock_.now());
  wake_soon();
}

void Driver::wait_datagrams() {
  datagrams_.socket().async_wait(udp::socket::wait_read,
                                 [weak = weak_from_this()](const ErrorCode& error) {
                                   const auto self = weak.lock();
                                   if (!self || self->stopped_ || error) return;
                                   self->receive_datagrams();
                                   self->wait_datagrams();
                                 });
}

// True when the socket is empty.
bool Driver::receive_datagrams() {
  for (int i = 0; i < kReceiveBatches; ++i) {
    const std::span<const Datagrams::Received> batch = datagrams_.receive();
    const Instant now = clock_.now();
    for (const Datagrams::Received& received : batch) receive(received, now);
    if (batch.size() < Datagrams::kBatch) return true;
  }
  return false;
}

void Driver::receive(const Datagrams::Received& received, Instant now) {
  ++packets_received_;
  bytes_received_ += received.packet.size();
  if (!received.whole) return core_.count_drop(DropReason::kTooLong);
  // What cannot open anyway costs its address nothing; what may, costs work.
  DropReason drop = guard_.check_header(PacketKind::kDatagram, received.packet);
  if (drop == DropReason::kOtherReceiver) {
    core_.call(received.from, now);
    wake_soon();
  }
  if (drop == DropReason::kNone && !rate_limit_.admit(received.from.ip, now)) {
    drop = DropReason::kRateLimited;
  }
  if (drop != DropReason::kNone) return core_.count_drop(drop);
  const Guard::Opened opened = guard_.open(PacketKind::kDatagram, received.packet);
  if (opened.drop == DropReason::kUnknownSession) core_.call(received.from, now);
  if (opened.drop != DropReason::kNone) return core_.count_drop(opened.drop);
  if (opened.open) {
    core_.receive_open(received.from, opened.plain, now);
  } else {
    core_.receive_packet(received.from, opened.plain, now);
  }
  guard_.set_epoch(core_.epoch());
  wake_soon();
}

// Sealed where it is sent from.
void Driver::send(const Effects::Datagram& datagram) {
  datagrams_.add(datagram.to, guard_.seal(datagrams_.next(), PacketKind::kDatagram, datagram.peer,
                                          datagram.plain));
}

Bytes Driver::answer(std::span<uint8_t> question) {
  const Guard::Opened opened = guard_.open(PacketKind::kQuestion, question);
  if (opened.drop != DropReason::kNone) {
    core_.count_drop(opened.drop);
    return {};
  }
  const Bytes plain = core_.answer_exchange(opened.plain, clock_.now());
  guard_.set_epoch(core_.epoch());
  wake_soon();
  if (plain.empty()) return {};
  return guard_.seal(PacketKind::kAnswer, opened.sender(), plain, opened.question);
}

// Where it lies; none when it does not open.
std::optional<ByteView> Driver::open_answer(std::optional<Bytes>& sealed,
                                            const QuestionName& question) {
  if (!sealed) return std::nullopt;
  const Guard::Opened opened = guard_.open(PacketKind::kAnswer, *sealed, question);
  if (opened.drop == DropReason::kNone) return opened.plain;
  core_.count_drop(opened.drop);
  return std::nullopt;
}

void Driver::ask(Effects::Exchange exchange) {
  Bytes sealed = guard_.seal(PacketKind::kQuestion, exchange.peer, exchange.plain);
  const auto finish = [weak = weak_from_this(), id = exchange.id,
                       question = guard_.asked()](std::optional<Bytes> answer) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->core_.finish_exchange(id, self->open_answer(answer, question), self->clock_.now());
    self->guard_.set_epoch(self->core_.epoch());
    self->wake_soon();
  };
  streams_.ask(exchange.to, std::move(sealed), finish);
}

void Driver::probe(Effects::TcpProbe probe) {
  Bytes sealed = guard_.seal(PacketKind::kQuestion, probe.peer, probe.plain);
  const auto finish = [weak = weak_from_this(), id = probe.id, question = guard_.asked()](
                          Reach reach, std::optional<Bytes> answer) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->core_.finish_tcp_probe(id, reach, self->open_answer(answer, question),
                                 self->clock_.now());
    self->guard_.set_epoch(self->core_.epoch());
    self->wake_soon();
  };
  streams_.probe(probe.to, std::move(sealed), tcp_timeout_, finish);
}

Counters Driver::counters() const {
  Counters all = core_.counters();
  all.packets_sent = datagrams_.sent().packets;
  all.packets_received = packets_received_;
  all.bytes_sent = datagrams_.sent().bytes;
  all.bytes_received = bytes_received_;
  all.sends_failed = datagrams_.sent().failed;
  return all;
}

class Handle final : public Gossip {
 public:
  explicit Handle(std::shared_ptr<Driver> driver) : driver_(std::move(driver)) {}
  ~Handle() override { driver_->stop(); }

  Status set_keys(KeyRing keys) override {
    SHOAL_TRY(keys.validate());
    driver_->set_keys(std::move(keys));
    return ok_status();
  }
  void set_seeds(std::vector<HostPort> seeds) override {
    driver_->core().set_seeds(std::move(seeds), driver_->now());
    driver_->wake_soon();
  }
  void join_network(const NetworkId& network) override {
    driver_->core().join_network(network, driver_->now());
    driver_->wake_soon();
  }
  void leave_network(const NetworkId& network) override {
    driver_->core().leave_network(network);
    driver_->wake_soon();
  }
  Status upsert(const NetworkId& network, std::string key, Bytes value) override {
    driver_->wake_soon();
    return driver_->core().upsert(network, key, std::move(value));
  }
  void remove(const NetworkId& network, const std::string& key) override {
    driver_->core().remove(network, key);
    driver_->wake_soon();
  }
  void forget(const NodeId& node) override {
    driver_->core().forget(node, driver_->now());
    driver_->wake_soon();
  }
  void leave(std::function<void()> done) override { driver_->leave(std::move(done)); }
  void stop() override { driver_->stop(); }
  std::vector<MemberInfo> members() const override { return driver_->core().members(); }
  std::vector<HostPort> remembered() const override {
    return driver_->core().swim().remembered(kMaxRemembered);
  }
  Counters counters() const override { return driver_->counters(); }
  HostPort bound() const override { return driver_->bound(); }
  HostPort advertised() const override { return driver_->advertised(); }

 private:
  std::shared_ptr<Driver> driver_;
};

Status validate(const Config& config, const KeyRing& keys) {
  if (!is_id(config.self.str()) || !is_id(config.cluster.str())) {
    return invalid_argument("gossip needs a node id and a cluster id");
  }
  if (config.epoch == 0 || config.epoch >= uint64_t{1} << 43) {
    return invalid_argument("the gossip epoch is wall clock milliseconds, not " +
                            std::to_string(config.epoch));
  }
  if (config.advertise.ip.is_unspecified() && config.bind.ip.is_unspecified()) {
    return invalid_argument(
        "gossip listens on every address: say which one to advertise to other nodes");
  }
  return keys.validate();
}

}  // namespace

Result<std::unique_ptr<Gossip>> Gossip::start(Config config, KeyRing keys, Strand& strand,
                                              Clock& clock, Rng& rng, Observer& observer) {
  SHOAL_TRY(validate(config, keys));
  Result<Sockets> sockets = bind_sockets(strand.context(), config.bind);
  for (int i = 1; !sockets && config.bind.port == 0 && i < kPortTries; ++i) {
    sockets = bind_sockets(strand.context(), config.bind);
  }
  if (!sockets) return sockets.error();
  config.bind.port = sockets->acceptor.local_endpoint().port();
  if (config.advertise.ip.is_unspecified()) config.advertise.ip = config.bind.ip;
  if (config.advertise.port == 0) config.advertise.port = config.bind.port;
  const auto driver = std::make_shared<Driver>(config, std::move(keys), std::move(*sockets), strand,
                                               clock, rng, observer);
  driver->start();
  return std::unique_ptr<Gossip>(std::make_unique<Handle>(driver));
}

}  // namespace shoal::gossip
