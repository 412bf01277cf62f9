// TcpListener: the TCP socket of one sandbox and its connections (RFC 7766): messages behind a
// two-byte length, several in flight, answered as they become ready.
//
// Everything a client can hold is bounded: connections, unanswered queries, unread replies, idle
// time. A connection over a bound is not read until it is below, and closed when idle.
//
// Thread rule: the strand. Make it with std::make_shared; close() before the handler goes.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_map>

#include "worker/dns/server/netns_sockets.h"
#include "worker/dns/server/query_handler.h"

namespace shoal::worker::dns {

class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  // `reply_buffer`: kMaxMessageSize bytes that all listeners share, since one runs at a time; it
  // holds a reply only while its query is being handled.
  TcpListener(boost::asio::io_context& context, Fd socket, uint64_t sandbox, size_t max_connections,
              QueryHandler& handler, Bytes& reply_buffer, ListenerCounters& counters);
  ~TcpListener();

  void start();
  void close();
  // A reply that was not at hand when its query came; dropped when the connection is gone.
  void send(const Client& client, ByteView packet);

 private:
  class Connection;

  void accept();
  void accept_later();
  void forget(uint64_t connection) { connections_.erase(connection); }

  boost::asio::io_context& context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  const uint64_t sandbox_;
  const size_t max_connections_;
  QueryHandler& handler_;
  Bytes& reply_buffer_;
  ListenerCounters& counters_;
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;
  uint64_t next_connection_ = 1;
};

}  // namespace shoal::worker::dns
