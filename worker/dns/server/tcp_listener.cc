#include "worker/dns/server/tcp_listener.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace shoal::worker::dns {
namespace {

using boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr auto kIdleTimeout = std::chrono::seconds(10);  // RFC 7766 section 6.2.3: "a few seconds"
constexpr size_t kMaxUnanswered = 32;                    // forwarded and not answered yet
constexpr size_t kMaxUnread = size_t{256} << 10;         // bytes: four of the largest replies
constexpr size_t kMaxQuery = 4096;                       // no query we understand is larger
constexpr size_t kPrefixSize = 2;
// After an accept that failed (no descriptors left) trying at once would only spin.
constexpr auto kAcceptPause = std::chrono::milliseconds(200);

}  // namespace

class TcpListener::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(TcpListener& owner, tcp::socket socket, uint64_t number)
      : owner_(&owner),
        socket_(std::move(socket)),
        idle_(owner.context_),
        sandbox_(owner.sandbox_),
        number_(number) {}

  void start() {
    touch();
    watch_idle();
    read();
  }

  void close() {
    if (owner_ == nullptr) return;
    owner_ = nullptr;
    ErrorCode ignored;
    socket_.close(ignored);
    idle_.cancel();
  }

  void answer(ByteView packet) {
    if (unanswered_ > 0) --unanswered_;
    enqueue(packet);
    consume();
  }

 private:
  // Closed by us, not by the listener: it has to let go as well.
  void drop() {
    if (owner_ == nullptr) return;
    TcpListener* const owner = owner_;
    close();
    owner->forget(number_);
    owner->handler_.connection_gone(client());
  }

  void touch() { idle_at_ = std::chrono::steady_clock::now() + kIdleTimeout; }

  void watch_idle() {
    idle_.expires_at(idle_at_);
    idle_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (error || self->owner_ == nullptr) return;
      if (std::chrono::steady_clock::now() < self->idle_at_) {
        self->watch_idle();
        return;
      }
      ++self->owner_->counters_.tcp_idle_closed;
      self->drop();
    });
  }

  bool may_take() const { return unanswered_ < kMaxUnanswered && unread() < kMaxUnread; }
  size_t unread() const { return writing_.size() + waiting_.size(); }

  void read() {
    if (owner_ == nullptr || reading_ || !may_take()) return;
    reading_ = true;
    socket_.async_read_some(boost::asio::buffer(in_.data() + filled_, in_.size() - filled_),
                            [self = shared_from_this()](const ErrorCode& error, size_t size) {
                              self->reading_ = false;
                              if (self->owner_ == nullptr) return;
                              if (error) {
                                self->end_of_input();
                                return;
                              }
                              self->filled_ += size;
                              self->consume();
                            });
  }

  // The client may have shut down its side and still wait for replies.
  void end_of_input() {
    finished_ = true;
    if (unanswered_ == 0 && unread() == 0) drop();
  }

  // Takes whole messages out of in_, as far as the bounds allow, and reads on.
  void consume() {
    if (consuming_) return;
    consuming_ = true;
    size_t at = 0;
    while (owner_ != nullptr && may_take() && filled_ - at >= kPrefixSize) {
      const size_t size = static_cast<size_t>(in_[at] << 8 | in_[at + 1]);
      if (size < kHeaderSize || size > kMaxQuery) {
        ++owner_->counters_.tcp_protocol_errors;
        drop();
        break;
      }
      if (filled_ - at < kPrefixSize + size) break;
      touch();
      query({&in_[at + kPrefixSize], size});
      at += kPrefixSize + size;
    }
    consuming_ = false;
    if (owner_ == nullptr) return;
    std::memmove(in_.data(), in_.data() + at, filled_ - at);
    filled_ -= at;
    if (finished_) {
      end_of_input();
    } else {
      read();
    }
  }

  void query(ByteView packet) {
    ++unanswered_;  // before: the reply may come while the query is being handled
    std::span<uint8_t> reply = owner_->reply_buffer_;
    const size_t size = owner_->handler_.handle_query(client(), packet, reply);
    if (size == 0) return;
    --unanswered_;
    enqueue(reply.first(size));
  }

  Client client() const {
    return {.sandbox = sandbox_, .transport = Transport::kTcp, .connection = number_};
  }

  void enqueue(ByteView packet) {
    waiting_.push_back(static_cast<uint8_t>(packet.size() >> 8));
    waiting_.push_back(static_cast<uint8_t>(packet.size()));
    waiting_.insert(waiting_.end(), packet.begin(), packet.end());
    write();
  }

  void write() {
    if (owner_ == nullptr || !writing_.empty() || waiting_.empty()) return;
    std::swap(writing_, waiting_);
    boost::asio::async_write(socket_, boost::asio::buffer(writing_),
                             [self = shared_from_this()](const ErrorCode& error, size_t) {
                               if (self->owner_ == nullptr) return;
                               if (error) {
                                 ++self->owner_->counters_.replies_unsent;
                                 self->drop();
                                 return;
                               }
                               self->writing_.clear();
                               self->touch();
                               self->write();
                               self->consume();
                             });
  }

  TcpListener* owner_;  // null once closed
  tcp::socket socket_;
  boost::asio::steady_timer idle_;
  const uint64_t sandbox_;
  const uint64_t number_;
  std::chrono::steady_clock::time_point idle_at_;
  std::array<uint8_t, kPrefixSize + kMaxQuery> in_;
  size_t filled_ = 0;  // bytes of in_
  Bytes writing_;      // being sent
  Bytes waiting_;      // to be sent next
  size_t unanswered_ = 0;
  bool reading_ = false;
  bool consuming_ = false;
  bool finished_ = false;  // the client sends no more
};

TcpListener::TcpListener(boost::asio::io_context& context, Fd socket, uint64_t sandbox,
                         size_t max_connections, QueryHandler& handler, Bytes& reply_buffer,
                         ListenerCounters& counters)
    : context_(context),
      acceptor_(context, tcp::v4(), socket.release()),
      pause_(context),
      sandbox_(sandbox),
      max_connections_(max_connections),
      handler_(handler),
      reply_buffer_(reply_buffer),
      counters_(counters) {}

TcpListener::~TcpListener() { close(); }

void TcpListener::start() { accept(); }

void TcpListener::close() {
  ErrorCode ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  for (auto& [number, connection] : connections_) connection->close();
  connections_.clear();
}

void TcpListener::accept() {
  acceptor_.async_accept(
      context_, [self = shared_from_this()](const ErrorCode& error, tcp::socket socket) {
        if (!self->acceptor_.is_open()) return;
        if (error) {
          self->accept_later();
          return;
        }
        if (self->connections_.size() >= self->max_connections_) {
          ++self->counters_.tcp_connections_refused;  // `socket` closes here
        } else {
          const uint64_t number = self->next_connection_++;
          const auto connection = std::make_shared<Connection>(*self, std::move(socket), number);
          self->connections_.emplace(number, connection);
          connection->start();
        }
        self->accept();
      });
}

void TcpListener::accept_later() {
  pause_.expires_after(kAcceptPause);
  pause_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error && self->acceptor_.is_open()) self->accept();
  });
}

void TcpListener::send(const Client& client, ByteView packet) {
  const auto connection = connections_.find(client.connection);
  if (connection == connections_.end()) {
    ++counters_.replies_unsent;
    return;
  }
  const auto kept = connection->second;  // it may drop itself
  kept->answer(packet);
}

}  // namespace shoal::worker::dns
