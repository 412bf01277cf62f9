#include "raft/transport/link.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

#include "base/types/check.h"

namespace shoal::raft {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr size_t kReadBytes = 32U << 10;
// A buffer that a large frame needed is given back.
constexpr size_t kKeptBytes = 256U << 10;

tcp::endpoint endpoint_of(const HostPort& address) {
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    asio::ip::address_v4::bytes_type v4;
    std::copy_n(bytes.begin(), v4.size(), v4.begin());
    return {asio::ip::address_v4(v4), address.port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::copy_n(bytes.begin(), v6.size(), v6.begin());
  return {asio::ip::address_v6(v6), address.port};
}

uint32_t frame_size(const char* header) {
  uint32_t size = 0;
  for (size_t i = 0; i < kFrameHeader; ++i) size = size << 8 | static_cast<uint8_t>(header[i]);
  return size;
}

class TlsLink final : public Link, public std::enable_shared_from_this<TlsLink> {
 public:
  TlsLink(asio::io_context& context, TlsContext tls, Handlers handlers)
      : tls_(std::move(tls)),
        stream_(context, *tls_),
        deadline_(context),
        handlers_(std::make_shared<const Handlers>(std::move(handlers))) {}

  void connect(const HostPort& address);
  void take(UniqueFd socket);
  void settle() override;
  void write(std::shared_ptr<const std::string> frames) override;
  void finish(std::string last) override;
  void close() override;

 private:
  using Stream = asio::ssl::stream<tcp::socket>;
  using Code = boost::system::error_code;

  void start_clock();
  void tune();
  void send_preface();
  void read_preface();
  void handshake(asio::ssl::stream_base::handshake_type role);
  void secured();
  void read();
  void got(size_t bytes);
  void flush();
  void half_close();
  void end(Error why);
  // True when there is nothing to go on with.
  bool over(const Code& code, const char* doing);

  const TlsContext tls_;
  Stream stream_;
  asio::steady_timer deadline_;
  std::shared_ptr<const Handlers> handlers_;  // none after the end
  bool secured_ = false;
  bool settled_ = false;
  bool finishing_ = false;
  bool writing_ = false;
  std::shared_ptr<const std::string> out_;
  std::string last_;  // of finish()
  std::string in_;
  size_t have_ = 0;  // of in_
};

void TlsLink::connect(const HostPort& address) {
  start_clock();
  stream_.lowest_layer().async_connect(endpoint_of(address),
                                       [link = shared_from_this()](const Code& code) {
                                         if (link->over(code, "connecting")) return;
                                         link->tune();
                                         link->send_preface();
                                       });
}

void TlsLink::take(UniqueFd socket) {
  start_clock();
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size);
  Code code;
  stream_.lowest_layer().assign(name.ss_family == AF_INET ? tcp::v4() : tcp::v6(), socket.get(),
                                code);
  if (!code) {
    socket.release();
    tune();
  }
  // Answers come later, also what it could not begin with.
  asio::post(stream_.get_executor(), [link = shared_from_this(), code] {
    if (!link->over(code, "taking")) link->read_preface();
  });
}

void TlsLink::start_clock() {
  deadline_.expires_after(kLinkDeadline);
  deadline_.async_wait([self = weak_from_this()](const Code& code) {
    const auto link = self.lock();
    if (code || !link) return;
    link->end(deadline_exceeded("the other side said nothing in time"));
  });
}

void TlsLink::tune() {
  Code ignored;
  auto& socket = stream_.lowest_layer();
  socket.set_option(tcp::no_delay(true), ignored);
  const int milliseconds = std::chrono::milliseconds(kLinkDeadline).count();
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
             sizeof milliseconds);
}

void TlsLink::send_preface() {
  asio::async_write(stream_.next_layer(), asio::buffer(kPreface.data(), kPreface.size()),
                    [link = shared_from_this()](const Code& code, size_t) {
                      if (link->over(code, "greeting")) return;
                      link->handshake(asio::ssl::stream_base::client);
                    });
}

void TlsLink::read_preface() {
  in_.resize(kPreface.size());
  asio::async_read(stream_.next_layer(), asio::buffer(in_.data(), kPreface.size()),
                   [link = shared_from_this()](const Code& code, size_t) {
                     if (link->over(code, "greeting")) return;
                     if (link->in_ != kPreface) return link->end(invalid_argument("no preface"));
                     link->handshake(asio::ssl::stream_base::server);
                   });
}

void TlsLink::handshake(asio::ssl::stream_base::handshake_type role) {
  stream_.async_handshake(role, [link = shared_from_this()](const Code& code) {
    if (!link->over(code, "TLS")) link->secured();
  });
}

void TlsLink::secured() {
  secured_ = true;
  const auto handlers = handlers_;
  if (handlers->secured) {
    if (const Status status = handlers->secured(*stream_.native_handle()); !status) {
      return end(status.error());
    }
    if (!handlers_) return;
  }
  read();
  if (out_ || finishing_) flush();
}

void TlsLink::settle() {
  settled_ = true;
  deadline_.cancel();
}

void TlsLink::read() {
  if (in_.size() - have_ < kReadBytes / 2) in_.resize(have_ + kReadBytes);
  stream_.async_read_some(asio::buffer(in_.data() + have_, in_.size() - have_),
                          [link = shared_from_this()](const Code& code, size_t bytes) {
                            if (!link->over(code, "reading")) link->got(bytes);
                          });
}

void TlsLink::got(size_t bytes) {
  have_ += bytes;
  size_t at = 0;
  size_t wanted = 0;
  while (handlers_ && !finishing_ && have_ - at >= kFrameHeader) {
    const size_t size = frame_size(in_.data() + at);
    if (size > (settled_ ? kMaxFrame : kMaxFirstFrame)) {
      return end(invalid_argument("a frame of " + std::to_string(size) + " bytes"));
    }
    wanted = kFrameHeader + size;
    if (have_ - at < wanted) break;
    const auto handlers = handlers_;
    const Status status = handlers->frame(std::string_view(in_).substr(at + kFrameHeader, size));
    if (!status) return end(status.error());
    at += wanted;
    wanted = 0;
  }
  if (!handlers_) return;
  if (finishing_) at = have_;  // nobody wants it
  have_ -= at;
  std::memmove(in_.data(), in_.data() + at, have_);
  if (in_.size() < wanted) in_.resize(wanted);
  if (in_.size() > kKeptBytes && have_ + wanted < kReadBytes) {
    in_.resize(kReadBytes);
    in_.shrink_to_fit();
  }
  read();
}

void TlsLink::write(std::shared_ptr<const std::string> frames) {
  SHOAL_CHECK(!out_ && !finishing_, "one write at a time");
  out_ = std::move(frames);
  if (secured_) flush();
}

void TlsLink::flush() {
  if (writing_) return;
  if (!out_ && !last_.empty()) {
    out_ = std::make_shared<const std::string>(std::exchange(last_, {}));
  }
  if (!out_) {
    if (finishing_) half_close();
    return;
  }
  writing_ = true;
  asio::async_write(stream_, asio::buffer(*out_),
                    [link = shared_from_this(), out = out_](const Code& code, size_t) {
                      link->writing_ = false;
                      if (link->over(code, "writing")) return;
                      link->out_.reset();
                      if (link->finishing_) return link->flush();
                      const auto handlers = link->handlers_;
                      if (handlers->written) handlers->written();
                    });
}

void TlsLink::finish(std::string last) {
  if (!handlers_ || finishing_) return;
  finishing_ = true;
  last_ = std::move(last);
  start_clock();
  if (secured_) flush();
}

// With bytes unread, closing now would make the kernel take back what was just sent.
void TlsLink::half_close() {
  Code ignored;
  stream_.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
}

bool TlsLink::over(const Code& code, const char* doing) {
  if (!handlers_) return true;
  if (!code) return false;
  end(unavailable(std::string(doing) + ": " + code.message()));
  return true;
}

void TlsLink::end(Error why) {
  const auto handlers = std::move(handlers_);
  close();
  if (handlers && handlers->ended) handlers->ended(why);
}

void TlsLink::close() {
  handlers_.reset();
  deadline_.cancel();
  Code ignored;
  stream_.lowest_layer().close(ignored);
}

}  // namespace

std::shared_ptr<Link> Link::dial(asio::io_context& context, const HostPort& address, TlsContext tls,
                                 Handlers handlers) {
  auto link = std::make_shared<TlsLink>(context, std::move(tls), std::move(handlers));
  link->connect(address);
  return link;
}

std::shared_ptr<Link> Link::take(asio::io_context& context, UniqueFd socket, TlsContext tls,
                                 Handlers handlers) {
  auto link = std::make_shared<TlsLink>(context, std::move(tls), std::move(handlers));
  link->take(std::move(socket));
  return link;
}

}  // namespace shoal::raft
