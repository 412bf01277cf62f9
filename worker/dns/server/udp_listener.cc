#include "worker/dns/server/udp_listener.h"

#include <arpa/inet.h>

#include <cerrno>

namespace shoal::worker::dns {

UdpBatch::UdpBatch() : in_buffer_(kSize * kMaxQuery), out_buffer_(kSize * kMaxReply) {
  for (size_t i = 0; i < kSize; ++i) {
    in_vectors_[i] = {&in_buffer_[i * kMaxQuery], kMaxQuery};
    out_vectors_[i] = {&out_buffer_[i * kMaxReply], kMaxReply};
    in_[i] = {};
    in_[i].msg_hdr.msg_name = &peers_[i];
    in_[i].msg_hdr.msg_iov = &in_vectors_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
    out_[i] = {};
    out_[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    out_[i].msg_hdr.msg_iov = &out_vectors_[i];
    out_[i].msg_hdr.msg_iovlen = 1;
  }
}

size_t UdpBatch::receive(int fd) {
  for (mmsghdr& message : in_) message.msg_hdr.msg_namelen = sizeof(sockaddr_in);
  const int count = recvmmsg(fd, in_.data(), kSize, MSG_DONTWAIT, nullptr);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

ByteView UdpBatch::query(size_t i) const { return {&in_buffer_[i * kMaxQuery], in_[i].msg_len}; }

std::span<uint8_t> UdpBatch::reply_buffer() {
  return {&out_buffer_[queued_ * kMaxReply], kMaxReply};
}

void UdpBatch::queue(size_t to, size_t size) {
  out_vectors_[queued_].iov_len = size;
  out_[queued_].msg_hdr.msg_name = &peers_[to];
  ++queued_;
}

size_t UdpBatch::flush(int fd) {
  size_t unsent = 0;
  for (size_t at = 0; at < queued_;) {
    const int sent = sendmmsg(fd, &out_[at], static_cast<unsigned>(queued_ - at), MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      unsent += queued_ - at;
      break;
    } else if (errno != EINTR) {
      ++unsent;  // this one; the others may have more luck
      ++at;
    }
  }
  queued_ = 0;
  return unsent;
}

UdpListener::UdpListener(boost::asio::io_context& context, Fd socket, uint64_t sandbox,
                         QueryHandler& handler, UdpBatch& batch, ListenerCounters& counters)
    : socket_(context, socket.release()),
      sandbox_(sandbox),
      handler_(handler),
      batch_(batch),
      counters_(counters) {}

void UdpListener::start() { wait(); }

void UdpListener::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void UdpListener::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || !self->socket_.is_open()) return;
                       self->serve();
                       self->wait();
                     });
}

void UdpListener::serve() {
  const int fd = socket_.native_handle();
  for (int round = 0; round < kMaxBatches; ++round) {
    const size_t count = batch_.receive(fd);
    for (size_t i = 0; i < count; ++i) {
      const sockaddr_in& peer = batch_.peer(i);
      const Client client{.sandbox = sandbox_,
                          .transport = Transport::kUdp,
                          .ip = Ip::v4(ntohl(peer.sin_addr.s_addr)),
                          .port = ntohs(peer.sin_port)};
      const size_t size = handler_.handle_query(client, batch_.query(i), batch_.reply_buffer());
      if (size > 0) batch_.queue(i, size);
    }
    counters_.replies_unsent += batch_.flush(fd);
    if (count < UdpBatch::kSize) return;
  }
}

void UdpListener::send(const Client& client, ByteView packet) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(client.port);
  peer.sin_addr.s_addr = htonl(static_cast<uint32_t>(client.ip.number()));
  const ssize_t sent = sendto(socket_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT,
                              reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
  if (sent < 0) ++counters_.replies_unsent;
}

}  // namespace shoal::worker::dns
