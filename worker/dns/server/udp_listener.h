// UdpListener: the UDP socket of one sandbox. Reads and writes in batches (recvmmsg, sendmmsg): at
// the rates a busy host asks, a system call per datagram is most of the cost.
//
// Thread rule: the strand. Make it with std::make_shared; close() before the handler goes.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <vector>

#include "worker/dns/server/netns_sockets.h"
#include "worker/dns/server/query_handler.h"

namespace shoal::worker::dns {

// Buffers of one batch, shared by all listeners: only one of them runs at a time.
class UdpBatch {
 public:
  static constexpr size_t kSize = 64;
  // A query has a name of at most 255 bytes and an OPT; what is longer is cut and answered FORMERR.
  static constexpr size_t kMaxQuery = 1280;
  static constexpr size_t kMaxReply = 4096;

  UdpBatch();

  // Receives what is there; the number of datagrams, 0 when none.
  size_t receive(int fd);
  ByteView query(size_t i) const;
  const sockaddr_in& peer(size_t i) const { return peers_[i]; }
  // The place of the next reply; queue() sends it to the sender of query `to`.
  std::span<uint8_t> reply_buffer();
  void queue(size_t to, size_t size);
  // Sends what was queued; the number that could not be sent.
  size_t flush(int fd);

 private:
  std::vector<uint8_t> in_buffer_;
  std::vector<uint8_t> out_buffer_;
  std::array<sockaddr_in, kSize> peers_;
  std::array<iovec, kSize> in_vectors_;
  std::array<iovec, kSize> out_vectors_;
  std::array<mmsghdr, kSize> in_;
  std::array<mmsghdr, kSize> out_;
  size_t queued_ = 0;
};

class UdpListener : public std::enable_shared_from_this<UdpListener> {
 public:
  UdpListener(boost::asio::io_context& context, Fd socket, uint64_t sandbox, QueryHandler& handler,
              UdpBatch& batch, ListenerCounters& counters);

  void start();
  void close();
  // A reply that was not at hand when its query came.
  void send(const Client& client, ByteView packet);

 private:
  // Batches per wake-up: then the strand's other work has its turn.
  static constexpr int kMaxBatches = 8;

  void wait();
  void serve();

  boost::asio::posix::stream_descriptor socket_;
  const uint64_t sandbox_;
  QueryHandler& handler_;
  UdpBatch& batch_;
  ListenerCounters& counters_;
};

}  // namespace shoal::worker::dns
