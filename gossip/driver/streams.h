// Streams: exchanges over TCP. One question and one answer per connection, each a frame:
//
//   | length (4, big endian) | sealed packet of that length, kind stream |
//
// What a stranger can cost is bounded before he has proved to hold a key: connections in total and
// per address (the oldest makes room, so a flood competes with itself), a deadline for the whole
// question, bytes held for all unproved questions together, and no buffer grows before its bytes
// have arrived. Runs on the strand.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <list>
#include <memory>
#include <optional>

#include "base/runtime/strand.h"
#include "gossip/wire/message.h"
#include "gossip/wire/seal.h"

namespace shoal::gossip {

class Streams {
 public:
  // What the owner provides. Called on the strand; not after close().
  struct Hooks {
    std::function<DropReason(PacketKind kind, ByteView header)> check_header;
    // The sealed answer to a sealed question, which is opened where it lies; empty closes the
    // connection without one.
    std::function<Bytes(std::span<uint8_t> question)> answer;
    std::function<void(DropReason)> drop;
  };
  using Finish = std::function<void(std::optional<Bytes> sealed_answer)>;
  // kAnswers with a sealed answer, or what became of the connection instead.
  using FinishProbe = std::function<void(Reach reach, std::optional<Bytes> sealed_answer)>;

  // Connections served at once, and of one address: some exchanges of each of a few peers.
  static constexpr size_t kMaxConnections = 64;
  static constexpr size_t kMaxPerAddress = 16;
  // For all unproved questions together; four of the largest.
  static constexpr size_t kMaxUnprovedBytes = 4 * kMaxFrame;
  // A question must be whole after this; a peer sends it in one go.
  static constexpr Duration kQuestionTimeout = std::chrono::seconds(3);
  // A whole exchange, asking or answering.
  static constexpr Duration kExchangeTimeout = std::chrono::seconds(10);

  Streams(Strand& strand, Clock& clock, boost::asio::ip::tcp::acceptor acceptor, Hooks hooks);
  ~Streams();

  void start();
  void close();
  // Sends a sealed question; `finish` is called once, later, unless closed.
  void ask(const HostPort& to, Bytes sealed, Finish finish);
  // The same to learn how far one gets within `timeout`: a kernel that takes the connection for a
  // process that says nothing tells a stalled one from a dead one.
  void probe(const HostPort& to, Bytes sealed, Duration timeout, FinishProbe finish);

 private:
  struct Connection;
  struct Shared;

  static void accept(const std::shared_ptr<Shared>& shared);
  static std::shared_ptr<Connection> open(const std::shared_ptr<Shared>& shared, const HostPort& to,
                                          Bytes sealed, FinishProbe finish);
  static void admit(const std::shared_ptr<Shared>& shared, boost::asio::ip::tcp::socket socket);

  std::shared_ptr<Shared> shared_;
};

}  // namespace shoal::gossip
