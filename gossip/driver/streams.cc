#include "gossip/driver/streams.h"

#include <algorithm>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "gossip/driver/endpoint.h"

namespace shoal::gossip {
namespace {

using boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr size_t kLengthSize = 4;
// Buffers grow by this much, and only when the bytes before have come.
constexpr size_t kReadStep = 64U << 10;
// Out of descriptors: accepting rests for this long instead of spinning.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

Bytes frame(ByteView sealed) {
  ByteWriter out;
  out.u32(static_cast<uint32_t>(sealed.size()));
  out.raw(sealed);
  return out.take();
}

}  // namespace

// One connection, either side. Kept alive by its pending operations; in the list while served.
struct Streams::Connection : std::enable_shared_from_this<Connection> {
  Connection(const std::shared_ptr<Shared>& owner, tcp::socket opened, std::unique_ptr<Timer> clock)
      : shared(owner), socket(std::move(opened)), timer(std::move(clock)) {}

  void set_deadline(Duration after);
  void connect(const tcp::endpoint& to);
  void read_frame();
  void read_more();
  void frame_whole();
  void write(Bytes bytes, bool then_read);
  // Ends it; with an answer, or counted for a reason.
  void end(DropReason reason, std::optional<Bytes> answer = std::nullopt);
  void hold(size_t bytes);

  std::weak_ptr<Shared> shared;
  tcp::socket socket;
  std::unique_ptr<Timer> timer;
  HostPort peer;
  bool asking = false;
  bool ended = false;
  bool late = false;
  bool probing = false;          // to whom it takes too long is no fault
  Reach reach = Reach::kSilent;  // how far it got, asking
  FinishProbe finish;
  std::array<uint8_t, kLengthSize + kSealHeaderSize> start{};
  size_t length = 0;  // of the sealed packet, as claimed
  Bytes in;           // what came of it
  size_t held = 0;    // its share of unproved_bytes
  Bytes out;
};

struct Streams::Shared {
  Strand& strand;
  Clock& clock;
  tcp::acceptor acceptor;
  Hooks hooks;
  std::list<std::shared_ptr<Connection>> served;  // oldest first
  std::list<std::shared_ptr<Connection>> asking;
  size_t unproved_bytes = 0;
  bool closed = false;
  std::unique_ptr<Timer> accept_timer;
};

void Streams::Connection::set_deadline(Duration after) {
  const auto owner = shared.lock();
  if (!owner) return;
  timer->wake_at(owner->clock.now() + after, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->late = true;
    self->end(self->probing ? DropReason::kNone : DropReason::kTimeout);
  });
}

void Streams::Connection::hold(size_t bytes) {
  const auto owner = shared.lock();
  if (!owner) return;
  owner->unproved_bytes = owner->unproved_bytes - held + bytes;
  held = bytes;
}

void Streams::Connection::end(DropReason reason, std::optional<Bytes> answer) {
  if (ended) return;
  ended = true;
  hold(0);
  timer->cancel();
  ErrorCode ignored;
  socket.close(ignored);
  const auto owner = shared.lock();
  if (!owner || owner->closed) return;
  // `this` may be held by the list alone.
  const auto self = shared_from_this();
  (asking ? owner->asking : owner->served).remove(self);
  if (reason != DropReason::kNone) owner->hooks.drop(reason);
  // Who closes without an answer runs, but does not answer for the member.
  if (reach == Reach::kStalled && !late) reach = Reach::kRefused;
  if (answer) reach = Reach::kAnswers;
  if (finish) finish(reach, std::move(answer));
}

void Streams::Connection::connect(const tcp::endpoint& to) {
  socket.async_connect(to, [self = shared_from_this()](const ErrorCode& error) {
    if (error == boost::asio::error::connection_refused) self->reach = Reach::kRefused;
    if (error) return self->end(DropReason::kNone);
    self->reach = Reach::kStalled;
    self->write(std::exchange(self->out, {}), true);
  });
}

void Streams::Connection::write(Bytes bytes, bool then_read) {
  out = std::move(bytes);
  boost::asio::async_write(socket, boost::asio::buffer(out),
                           [self = shared_from_this(), then_read](const ErrorCode& error, size_t) {
                             if (error || !then_read) return self->end(DropReason::kNone);
                             self->read_frame();
                           });
}

void Streams::Connection::read_frame() {
  boost::asio::async_read(socket, boost::asio::buffer(start),
                          [self = shared_from_this()](const ErrorCode& error, size_t) {
                            const auto owner = self->shared.lock();
                            if (error || !owner || owner->closed)
                              return self->end(DropReason::kNone);
                            const ByteView start(self->start);
                            self->length = ByteReader(start).u32();
                            if (self->length < kSealHeaderSize + crypto::kTagSize)
                              return self->end(DropReason::kTooShort);
                            if (self->length > kMaxFrame) return self->end(DropReason::kTooLong);
                            const ByteView header = start.subspan(kLengthSize);
                            const auto kind =
                                self->asking ? PacketKind::kAnswer : PacketKind::kQuestion;
                            const DropReason drop = owner->hooks.check_header(kind, header);
                            if (drop != DropReason::kNone) return self->end(drop);
                            self->in.assign(header.begin(), header.end());
                            self->read_more();
                          });
}

void Streams::Connection::read_more() {
  const auto owner = shared.lock();
  if (!owner || owner->closed) return end(DropReason::kNone);
  if (in.size() == length) return frame_whole();
  const size_t have = in.size();
  const size_t step = std::min(kReadStep, length - have);
  if (!asking) {
    hold(have + step);
    if (owner->unproved_bytes > kMaxUnprovedBytes) return end(DropReason::kAdmission);
  }
  in.resize(have + step);
  boost::asio::async_read(socket, boost::asio::buffer(in.data() + have, step),
                          [self = shared_from_this()](const ErrorCode& error, size_t) {
                            if (error) return self->end(DropReason::kNone);
                            self->read_more();
                          });
}

void Streams::Connection::frame_whole() {
  if (asking) return end(DropReason::kNone, std::move(in));
  const auto owner = shared.lock();
  hold(0);
  Bytes answer = owner->hooks.answer(in);
  in = Bytes();
  if (answer.empty() || ended) return end(DropReason::kNone);
  set_deadline(kExchangeTimeout);
  write(frame(answer), false);
}

Streams::Streams(Strand& strand, Clock& clock, tcp::acceptor acceptor, Hooks hooks)
    : shared_(std::make_shared<Shared>(Shared{strand,
                                              clock,
                                              std::move(acceptor),
                                              std::move(hooks),
                                              {},
                                              {},
                                              0,
                                              false,
                                              strand.make_timer()})) {}

Streams::~Streams() { close(); }

void Streams::start() { accept(shared_); }

void Streams::close() {
  if (shared_->closed) return;
  shared_->closed = true;
  ErrorCode ignored;
  shared_->acceptor.close(ignored);
  shared_->accept_timer->cancel();
  for (auto* list : {&shared_->served, &shared_->asking}) {
    for (const auto& connection : std::exchange(*list, {})) {
      connection->end(DropReason::kNone);
      connection->finish = nullptr;
    }
  }
}

void Streams::accept(const std::shared_ptr<Shared>& shared) {
  shared->acceptor.async_accept(
      [weak = std::weak_ptr(shared)](const ErrorCode& error, tcp::socket socket) {
        const auto owner = weak.lock();
        if (!owner || owner->closed) return;
        if (error) {
          owner->accept_timer->wake_at(owner->clock.now() + kAcceptPause, [weak] {
            const auto again = weak.lock();
            if (again && !again->closed) accept(again);
          });
          return;
        }
        admit(owner, std::move(socket));
        accept(owner);
      });
}

void Streams::admit(const std::shared_ptr<Shared>& shared, tcp::socket socket) {
  ErrorCode error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;
  const auto connection =
      std::make_shared<Connection>(shared, std::move(socket), shared->strand.make_timer());
  connection->peer = from_endpoint(remote);
  const auto same = [&connection](const std::shared_ptr<Connection>& other) {
    return other->peer.ip == connection->peer.ip;
  };
  auto& served = shared->served;
  const auto of_address = std::count_if(served.begin(), served.end(), same);
  if (static_cast<size_t>(of_address) >= kMaxPerAddress) {
    const auto oldest = *std::find_if(served.begin(), served.end(), same);
    oldest->end(DropReason::kAdmission);
  } else if (served.size() >= kMaxConnections) {
    const auto oldest = served.front();
    oldest->end(DropReason::kAdmission);
  }
  served.push_back(connection);
  connection->set_deadline(kQuestionTimeout);
  connection->read_frame();
}

std::shared_ptr<Streams::Connection> Streams::open(const std::shared_ptr<Shared>& shared,
                                                   const HostPort& to, Bytes sealed,
                                                   FinishProbe finish) {
  auto connection = std::make_shared<Connection>(shared, tcp::socket(shared->strand.context()),
                                                 shared->strand.make_timer());
  connection->peer = to;
  connection->asking = true;
  connection->finish = std::move(finish);
  connection->out = frame(sealed);
  shared->asking.push_back(connection);
  return connection;
}

void Streams::ask(const HostPort& to, Bytes sealed, Finish finish) {
  const auto connection = open(shared_, to, std::move(sealed),
                               [finish = std::move(finish)](Reach, std::optional<Bytes> answer) {
                                 finish(std::move(answer));
                               });
  connection->set_deadline(kExchangeTimeout);
  connection->connect(tcp::endpoint(to_address(to.ip), to.port));
}

void Streams::probe(const HostPort& to, Bytes sealed, Duration timeout, FinishProbe finish) {
  const auto connection = open(shared_, to, std::move(sealed), std::move(finish));
  connection->probing = true;
  connection->set_deadline(timeout);
  connection->connect(tcp::endpoint(to_address(to.ip), to.port));
}

}  // namespace shoal::gossip
