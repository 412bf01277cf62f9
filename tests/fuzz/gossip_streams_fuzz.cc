// Any bytes over a connection, to who serves exchanges and to who asks: over the loopback, as the
// framing is one with the reading.
//
//   input = how u8 | bytes     how, bits: 0 the bytes answer a question instead of asking one
//                                         1 before them a length that fits and a header that opens
//                                         2 they are cut in two, and the second part comes later
//                                         3 they are sealed, and framed, by a holder of the key
//                                         4 before them a length that fits
//
// A frame that is whole and may open is handed over once, exactly as it came; nothing else is. The
// connection is let go either way.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <future>

#include "base/runtime/system_ports.h"
#include "base/types/check.h"
#include "gossip/driver/streams.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"

namespace shoal::gossip {
namespace {

using boost::asio::ip::tcp;
using std::chrono::seconds;

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}

constexpr uint8_t kAnswering = 1, kHeaded = 2, kLate = 4, kSealed = 8, kLength = 16;
constexpr size_t kLengthSize = 4;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    SHOAL_CHECK(fd_ >= 0, "a socket");
    const timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;

  int get() const { return fd_; }
  // The other side may have closed: what does not get there is not sent.
  void send(ByteView bytes) const {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes = bytes.subspan(static_cast<size_t>(size));
    }
  }
  void finish() const { shutdown(fd_, SHUT_WR); }
  Bytes read(size_t most) const {
    Bytes all(most);
    size_t have = 0;
    while (have < most) {
      const ssize_t size = recv(fd_, all.data() + have, most - have, 0);
      SHOAL_CHECK(size >= 0 || errno == ECONNRESET, "the connection is let go");
      if (size <= 0) break;
      have += static_cast<size_t>(size);
    }
    all.resize(have);
    return all;
  }

 private:
  int fd_;
};

sockaddr_in place(uint32_t address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(address);
  out.sin_port = htons(port);
  return out;
}

class World {
 public:
  World() {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in any = place(INADDR_LOOPBACK, 0);
    SHOAL_CHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0 &&
                    listen(listener_, 16) == 0,
                "a place to listen");
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
    listener_port_ = ntohs(bound.sin_port);
    strand_.start("streams-fuzz");
    strand_.call([this] {
      tcp::acceptor acceptor(strand_.context(),
                             tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
      port_ = acceptor.local_endpoint().port();
      streams_ = std::make_unique<Streams>(
          strand_, clock_, std::move(acceptor),
          Streams::Hooks{[this](PacketKind kind, ByteView header) {
                           return guard_.check_header(kind, header);
                         },
                         [this](std::span<uint8_t> question) {
                           handed_.emplace_back(question.begin(), question.end());
                           return kReply;
                         },
                         [](DropReason) {}});
      streams_->start();
      return 0;
    });
  }
  ~World() {
    strand_.call([this] {
      streams_.reset();
      return 0;
    });
    strand_.stop();
    close(listener_);
  }

  void run(uint8_t how, ByteView bytes) {
    const bool answering = (how & kAnswering) != 0;
    const Bytes sent = framed(how, answering ? PacketKind::kAnswer : PacketKind::kQuestion, bytes);
    if (answering) {
      answer(how, sent);
    } else {
      question(how, sent);
    }
  }

 private:
  static KeyRing ring() {
    KeyRing ring;
    ring.keys.push_back({1, {}});
    return ring;
  }

  Bytes framed(uint8_t how, PacketKind kind, ByteView bytes) {
    if ((how & kLength) != 0) {
      ByteWriter out;
      out.u32(static_cast<uint32_t>(bytes.size()));
      out.raw(bytes);
      return out.take();
    }
    if ((how & (kSealed | kHeaded)) == 0) return Bytes(bytes.begin(), bytes.end());
    Bytes sealed(kSealHeaderSize + bytes.size() + crypto::kTagSize);
    member_.seal_text(sealed, kind, {kHere, 5}, bytes, {});
    if ((how & kSealed) == 0) {
      std::copy(bytes.begin(), bytes.end(),
                sealed.begin() + static_cast<std::ptrdiff_t>(kSealHeaderSize));
    }
    ByteWriter out;
    out.u32(static_cast<uint32_t>(sealed.size()));
    out.raw(sealed);
    return out.take();
  }

  // The frame that is to be handed over.
  std::optional<Bytes> whole(PacketKind kind, ByteView sent) {
    ByteReader in(sent);
    const size_t length = in.u32();
    const ByteView frame = sent.last(in.remaining());
    if (!in.ok() || length < kSealHeaderSize + crypto::kTagSize || length > kMaxFrame ||
        frame.size() < length) {
      return std::nullopt;
    }
    const bool may_open = strand_.call([&] {
      return guard_.check_header(kind, frame.first(kSealHeaderSize)) == DropReason::kNone;
    });
    if (!may_open) return std::nullopt;
    return Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
  }

  void say(const Socket& socket, uint8_t how, const Bytes& sent) {
    const size_t half = (how & kLate) != 0 ? sent.size() / 2 : sent.size();
    socket.send(ByteView(sent).first(half));
    // The strand has read the first part by then, or will read it with the second: either is right.
    if (half < sent.size()) strand_.call([] { return 0; });
    socket.send(ByteView(sent).subspan(half));
    socket.finish();
  }

  void question(uint8_t how, const Bytes& sent) {
    const std::optional<Bytes> expected = whole(PacketKind::kQuestion, sent);
    Bytes came;
    {
      const Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
      // From ever other addresses, as ports rest for a while after use.
      const sockaddr_in from = place(0x7f000002U + ++connections_ % 0xfffff0U, 0);
      const sockaddr_in to = place(INADDR_LOOPBACK, port_);
      SHOAL_CHECK(bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 &&
                      connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0,
                  "a connection");
      say(socket, how, sent);
      came = socket.read(kLengthSize + kReply.size() + 1);
    }
    const std::vector<Bytes> handed = strand_.call([this] { return std::exchange(handed_, {}); });
    SHOAL_CHECK(handed.size() == (expected ? 1 : 0), "a whole frame is handed over, once");
    SHOAL_CHECK(expected || came.empty(), "nothing else is answered");
    if (!expected) return;
    SHOAL_CHECK(handed.front() == *expected, "as it came");
    // What came behind the frame is not read, and may reset the connection.
    if (sent.size() > kLengthSize + expected->size()) return;
    ByteReader in(came);
    SHOAL_CHECK(in.u32() == kReply.size() && came.size() == kLengthSize + kReply.size(),
                "it is answered");
  }

  void answer(uint8_t how, const Bytes& sent) {
    const std::optional<Bytes> expected = whole(PacketKind::kAnswer, sent);
    std::promise<std::optional<Bytes>> finished;
    auto result = finished.get_future();
    strand_.call([&] {
      streams_->ask({Ip::v4(INADDR_LOOPBACK), listener_port_}, kReply,
                    [&finished](std::optional<Bytes> answer) {
                      finished.set_value(std::move(answer));  // throws when it comes twice
                    });
      return 0;
    });
    {
      const Socket socket(accept(listener_, nullptr, nullptr));
      const Bytes asked = socket.read(kLengthSize + kReply.size());
      SHOAL_CHECK(asked.size() == kLengthSize + kReply.size(), "the question comes");
      say(socket, how, sent);
      SHOAL_CHECK(result.wait_for(seconds(5)) == std::future_status::ready, "and is let go");
    }
    SHOAL_CHECK(result.get() == expected, "a whole frame is handed over, as it came");
  }

  const NodeId kHere = named<NodeId>("here");
  const Bytes kReply = Bytes(100, 'r');
  SystemClock clock_;
  Strand strand_;
  SeededRng rng_{1};
  // Used on the strand.
  Guard guard_{named<ClusterId>("c"), kHere, 5, ring(), rng_};
  std::vector<Bytes> handed_;
  std::unique_ptr<Streams> streams_;
  // Used here.
  Guard member_{named<ClusterId>("c"), named<NodeId>("there"), 3, ring(), rng_};
  int listener_ = -1;
  uint16_t listener_port_ = 0;
  uint16_t port_ = 0;
  uint32_t connections_ = 0;
};

}  // namespace
}  // namespace shoal::gossip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static shoal::gossip::World world;
  if (size > 0) world.run(data[0], {data + 1, size - 1});
  return 0;
}
