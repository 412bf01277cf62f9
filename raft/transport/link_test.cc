// Links against those who do not keep to the protocol.
#include "raft/transport/link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "raft/transport/speaker.h"
#include "raft/transport/test_members.h"

namespace shoal::raft {
namespace {

// A connection without TLS.
class Raw {
 public:
  explicit Raw(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    SHOAL_CHECK(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
                "the port is open");
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void say(std::string_view text) { send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  // Reads until the other side ends; false when it does not.
  bool ends() {
    char bytes[512];
    ssize_t got = 0;
    while ((got = recv(fd_.get(), bytes, sizeof bytes, 0)) > 0) {
    }
    return got == 0 || errno == ECONNRESET;
  }

 private:
  UniqueFd fd_;
};

// What comes after garbage is served all the same.
void expect_alive(Node& node) {
  Speaker speaker(node.port);
  speaker.hello(1, node.id);
  wire::Envelope envelope;
  to_wire(heartbeat(1, node.id, 9), *envelope.mutable_message());
  speaker.say(envelope);
  EXPECT_TRUE(node.wait([&] { return !node.received.empty(); }));
}

TEST(Link, WhoeverDoesNotKeepToTheProtocolIsCutOff) {
  Node node(2);
  {
    Raw other(node.port);
    other.say(std::string(kPreface.substr(0, 5)) + "what is this, then");
    EXPECT_TRUE(other.ends()) << "another preface";
  }
  {
    Raw plain(node.port);
    plain.say(std::string(kPreface) + "a hello without TLS");
    EXPECT_TRUE(plain.ends());
  }
  {
    Raw silent(node.port);
    EXPECT_TRUE(silent.ends()) << "not a byte";
  }
  {
    Raw slow(node.port);
    slow.say(kPreface.substr(0, 3));
    EXPECT_TRUE(slow.ends()) << "no whole preface";
  }
  expect_alive(node);
}

TEST(Link, WhoeverShowsNoCertificateIsCutOff) {
  Node node(2);
  const auto nameless =
      std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tlsv13_client);
  Speaker speaker(node.port, nameless);
  speaker.hello(1, 2);
  EXPECT_EQ(speaker.why().code, ErrorClass::kUnavailable);
  EXPECT_EQ(speaker.refusal().error(), "");
  expect_alive(node);
}

TEST(Link, FramesAreBounded) {
  Node node(2);
  const auto header = [](uint32_t size) {
    std::string out(kFrameHeader, 0);
    for (size_t i = 0; i < kFrameHeader; ++i) out[i] = static_cast<char>(size >> (24 - 8 * i));
    return out;
  };
  {
    Speaker first(node.port);
    first.say_bytes(header(kMaxFirstFrame + 1));
    EXPECT_NE(first.why().message, "") << "a hello that is too long";
  }
  {
    Speaker later(node.port);
    later.hello(1, 2);
    later.say_bytes(header(kMaxFrame + 1));
    EXPECT_NE(later.why().message, "");
  }
  {
    Speaker all(node.port);
    all.say_bytes(header(UINT32_MAX));
    EXPECT_NE(all.why().message, "");
  }
  expect_alive(node);
}

TEST(Link, RefusesSayWhy) {
  Node node(2);
  Speaker garbage(node.port);
  garbage.say_bytes(std::string("\0\0\0\3abc", 7));
  EXPECT_EQ(garbage.refusal().error(), "invalid_argument");
  Speaker elsewhere(node.port);
  elsewhere.hello(1, 7);
  EXPECT_EQ(elsewhere.refusal().error(), "invalid_argument");
  Speaker stranger(node.port);
  stranger.hello(1, 2, "another cluster");
  EXPECT_EQ(stranger.refusal().error(), "permission_denied");
  EXPECT_NE(stranger.refusal().message(), "");
  Speaker twice(node.port);
  twice.hello(1, 2);
  twice.hello(1, 2);
  EXPECT_EQ(twice.refusal().error(), "invalid_argument");
  expect_alive(node);
}

TEST(Link, LargeFramesComeWhole) {
  Node a(1);
  Node b(2);
  a.meet({{2, b.address(), false}});
  for (Index i = 0; i < 8; ++i) {
    Message append = heartbeat(1, 2, 5);
    append.type = MessageType::kAppend;
    append.index = i;
    append.log_term = 4;
    append.entries = {{.term = 5,
                       .index = i + 1,
                       .type = EntryType::kCommand,
                       .data = std::string(200'000 + 1000 * i, static_cast<char>('a' + i))}};
    a.send(append);
  }
  ASSERT_TRUE(b.wait([&] { return b.received.size() == 8; }));
  for (Index i = 0; i < 8; ++i) {
    EXPECT_EQ(b.received[i].entries[0].data,
              std::string(200'000 + 1000 * i, static_cast<char>('a' + i)));
  }
}

}  // namespace
}  // namespace shoal::raft
