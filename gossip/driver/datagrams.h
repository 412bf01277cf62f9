// Datagrams: a UDP socket that is read and written in batches, one system call for up to kBatch
// packets, from and into buffers that were allocated once. Readiness is Asio's, by socket().
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <span>
#include <utility>

#include "base/codec/bytes.h"
#include "base/types/ip.h"
#include "gossip/wire/seal.h"

namespace shoal::gossip {

class Datagrams {
 public:
  static constexpr size_t kBatch = 32;

  struct Received {
    HostPort from;
    std::span<uint8_t> packet;  // until the next receive()
    bool whole = true;          // false: it was longer than kMaxDatagram
  };
  struct Sent {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    uint64_t failed = 0;  // the socket refused: full, or no route
  };

  // Takes a bound, non-blocking socket, and asks for large buffers (more than rmem_max where this
  // process may, as the daemon may).
  Datagrams(boost::asio::ip::udp::socket socket, Family family);

  boost::asio::ip::udp::socket& socket() { return socket_; }
  void close();

  // What waits, up to kBatch; fewer when the socket is empty then.
  std::span<const Received> receive();

  // Where the next packet to `to` is to be written (kMaxDatagram bytes), and how much was. Sent by
  // flush(), or when a batch is full.
  std::span<uint8_t> next();
  void add(const HostPort& to, size_t size);
  void flush();
  const Sent& sent() const { return sent_; }
  // Whether the host refused a packet since the last call for its size: packets are not fragmented
  // on their way. One of the safe size it refuses is sent to be fragmented, and so is all after it.
  bool take_too_large() { return std::exchange(too_large_, false); }

 private:
  void send_whole(bool whole);
  // Whether a packet that was refused as too large is to be tried once more.
  bool give_way(size_t size);

  using Buffer = std::array<uint8_t, kMaxDatagram>;
  struct Side {
    Side();
    std::array<Buffer, kBatch> buffers;  // pages that are never needed are never touched
    std::array<boost::asio::ip::udp::endpoint, kBatch> endpoints;
    std::array<iovec, kBatch> vectors{};
    std::array<mmsghdr, kBatch> headers{};
  };

  boost::asio::ip::udp::socket socket_;
  Family family_;
  std::unique_ptr<Side> in_;
  std::unique_ptr<Side> out_;
  std::array<Received, kBatch> received_;
  size_t queued_ = 0;
  bool too_large_ = false;
  bool whole_ = true;  // packets are sent with "do not fragment"
  Sent sent_;
};

}  // namespace shoal::gossip
