#include "worker/dns/server/upstream_client.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

namespace shoal::worker::dns {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using ErrorCode = boost::system::error_code;

constexpr size_t kMaxUdpAnswer = 4096;  // more than we advertise, for upstreams that do not listen

boost::asio::ip::address to_asio(const Ip& ip) {
  const auto bytes = ip.bytes();
  if (ip.is_v4()) {
    boost::asio::ip::address_v4::bytes_type out;
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return boost::asio::ip::address_v4(out);
  }
  boost::asio::ip::address_v6::bytes_type out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return boost::asio::ip::address_v6(out);
}

HostPort from_asio(const udp::endpoint& endpoint) {
  if (endpoint.address().is_v4()) {
    return {Ip::v4(endpoint.address().to_v4().to_uint()), endpoint.port()};
  }
  return {Ip::v6(endpoint.address().to_v6().to_bytes()), endpoint.port()};
}

}  // namespace

class UpstreamClient::Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(UpstreamClient& owner, uint64_t number) : owner_(&owner), number_(number) {}
  virtual ~Attempt() = default;

  virtual void send(SendToUpstream request) = 0;

  void close() {
    owner_ = nullptr;
    close_socket();
  }

 protected:
  virtual void close_socket() = 0;

  bool is_open() const { return owner_ != nullptr; }
  boost::asio::io_context& context() { return owner_->context_; }

  void answered(const HostPort& from, ByteView packet) {
    owner_->on_answer_(number_, from, packet);
  }
  void failed() {
    boost::asio::post(owner_->context_, [self = shared_from_this()] {
      if (self->is_open()) self->owner_->on_failure_(self->number_);
    });
  }

 private:
  UpstreamClient* owner_;  // null once closed
  const uint64_t number_;
};

class UpstreamClient::UdpAttempt final : public Attempt {
 public:
  UdpAttempt(UpstreamClient& owner, uint64_t number)
      : Attempt(owner, number), socket_(owner.context_) {}

  void send(SendToUpstream request) override {
    ErrorCode error;
    if (!socket_.is_open()) {
      const udp::endpoint upstream(to_asio(request.upstream.ip), request.upstream.port);
      socket_.open(upstream.protocol(), error);
      if (!error) socket_.non_blocking(true, error);
      if (!error) socket_.connect(upstream, error);
      if (error) {
        failed();
        return;
      }
      wait();
    }
    socket_.send(boost::asio::buffer(request.packet), 0, error);
    // A full buffer is a lost packet, and those are sent again.
    if (error && error != boost::asio::error::would_block) failed();
  }

 private:
  void close_socket() override {
    ErrorCode ignored;
    socket_.close(ignored);
  }

  void wait() {
    auto self = std::static_pointer_cast<UdpAttempt>(shared_from_this());
    socket_.async_wait(udp::socket::wait_read, [self](const ErrorCode& error) {
      if (!self->is_open()) return;
      if (error) {
        self->failed();
      } else {
        self->receive();
      }
    });
  }

  void receive() {
    std::array<uint8_t, kMaxUdpAnswer> buffer;
    udp::endpoint from;
    ErrorCode error;
    const size_t size = socket_.receive_from(boost::asio::buffer(buffer), from, 0, error);
    if (error && error != boost::asio::error::would_block) {
      failed();  // as a rule: nobody listens there
      return;
    }
    if (!error) answered(from_asio(from), {buffer.data(), size});
    if (is_open()) wait();
  }

  udp::socket socket_;
};

class UpstreamClient::TcpAttempt final : public Attempt {
 public:
  TcpAttempt(UpstreamClient& owner, uint64_t number)
      : Attempt(owner, number), socket_(owner.context_) {}

  void send(SendToUpstream request) override {
    ByteWriter writer;
    writer.u16(static_cast<uint16_t>(request.packet.size()));
    writer.raw(request.packet);
    const auto frame = std::make_shared<const Bytes>(writer.take());
    if (socket_.is_open()) {  // again, after an answer
      write(frame);
      return;
    }
    upstream_ = request.upstream;
    auto self = std::static_pointer_cast<TcpAttempt>(shared_from_this());
    const tcp::endpoint endpoint(to_asio(upstream_.ip), upstream_.port);
    socket_.async_connect(endpoint, [self, frame](const ErrorCode& error) {
      if (!self->is_open()) return;
      if (error) {
        self->failed();
        return;
      }
      self->write(frame);
      self->read();
    });
  }

 private:
  void close_socket() override {
    ErrorCode ignored;
    socket_.close(ignored);
  }

  void write(const std::shared_ptr<const Bytes>& frame) {
    auto self = std::static_pointer_cast<TcpAttempt>(shared_from_this());
    boost::asio::async_write(socket_, boost::asio::buffer(*frame),
                             [self, frame](const ErrorCode& error, size_t) {
                               if (error && self->is_open()) self->failed();
                             });
  }

  void read() {
    auto self = std::static_pointer_cast<TcpAttempt>(shared_from_this());
    boost::asio::async_read(
        socket_, boost::asio::buffer(prefix_), [self](const ErrorCode& error, size_t) {
          if (!self->is_open()) return;
          if (error) {
            self->failed();
            return;
          }
          self->in_.resize(static_cast<size_t>(self->prefix_[0] << 8 | self->prefix_[1]));
          self->read_body();
        });
  }

  void read_body() {
    auto self = std::static_pointer_cast<TcpAttempt>(shared_from_this());
    boost::asio::async_read(socket_, boost::asio::buffer(in_),
                            [self](const ErrorCode& error, size_t) {
                              if (!self->is_open()) return;
                              if (error) {
                                self->failed();
                                return;
                              }
                              self->answered(self->upstream_, self->in_);
                              if (self->is_open()) self->read();
                            });
  }

  tcp::socket socket_;
  HostPort upstream_;
  std::array<uint8_t, 2> prefix_{};
  Bytes in_;
};

UpstreamClient::UpstreamClient(boost::asio::io_context& context, OnAnswer on_answer,
                               OnFailure on_failure)
    : context_(context), on_answer_(std::move(on_answer)), on_failure_(std::move(on_failure)) {}

UpstreamClient::~UpstreamClient() {
  for (auto& [number, attempt] : attempts_) attempt->close();
}

void UpstreamClient::send(SendToUpstream request) {
  auto& attempt = attempts_[request.attempt];
  if (!attempt) {
    if (request.transport == Transport::kUdp) {
      attempt = std::make_shared<UdpAttempt>(*this, request.attempt);
    } else {
      attempt = std::make_shared<TcpAttempt>(*this, request.attempt);
    }
  }
  attempt->send(std::move(request));
}

void UpstreamClient::close(uint64_t number) {
  const auto attempt = attempts_.find(number);
  if (attempt == attempts_.end()) return;
  attempt->second->close();
  attempts_.erase(attempt);
}

}  // namespace shoal::worker::dns
