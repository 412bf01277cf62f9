#include "gossip/driver/datagrams.h"

#include <cerrno>

#include "gossip/driver/endpoint.h"
#include "gossip/node/path_probe.h"

namespace shoal::gossip {
namespace {

using boost::asio::ip::udp;

// Room for a burst of a whole cluster's answers, or some seconds of them while the process stalls.
constexpr int kSocketBuffer = 4 << 20;

void set_buffer(int fd, int forced, int plain) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kSocketBuffer, sizeof kSocketBuffer) == 0) return;
  // Without the right to force it, the kernel grants what it grants everybody.
  setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
}

}  // namespace

Datagrams::Side::Side() {
  for (size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {buffers[i].data(), buffers[i].size()};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    headers[i].msg_hdr.msg_name = endpoints[i].data();
  }
}

Datagrams::Datagrams(udp::socket socket, Family family)
    : socket_(std::move(socket)), family_(family), in_(new Side), out_(new Side) {
  set_buffer(socket_.native_handle(), SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer(socket_.native_handle(), SO_SNDBUFFORCE, SO_SNDBUF);
  send_whole(true);
}

void Datagrams::send_whole(bool whole) {
  whole_ = whole;
  const int fd = socket_.native_handle();
  const int v4 = whole ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
  const int v6 = whole ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT;
  // A socket for both takes both; one for IPv4 refuses the second.
  setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
  setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
}

bool Datagrams::give_way(size_t size) {
  too_large_ = true;
  if (size > kSafeDatagram || !whole_) return false;
  send_whole(false);
  return true;
}

void Datagrams::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::span<const Datagrams::Received> Datagrams::receive() {
  for (size_t i = 0; i < kBatch; ++i) {
    in_->headers[i].msg_hdr.msg_namelen = static_cast<socklen_t>(in_->endpoints[i].capacity());
  }
  int count = -1;
  // An error is ICMP's word on an earlier packet, and reading it clears it.
  for (size_t tries = 0; count < 0 && tries < kBatch; ++tries) {
    count = recvmmsg(socket_.native_handle(), in_->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF)) break;
  }
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    const mmsghdr& header = in_->headers[at];
    in_->endpoints[at].resize(header.msg_hdr.msg_namelen);
    received_[at] = {from_endpoint(in_->endpoints[at]),
                     std::span(in_->buffers[at]).first(header.msg_len),
                     (header.msg_hdr.msg_flags & MSG_TRUNC) == 0};
  }
  return std::span(received_).first(static_cast<size_t>(std::max(count, 0)));
}

std::span<uint8_t> Datagrams::next() {
  if (queued_ == kBatch) flush();
  return out_->buffers[queued_];
}

void Datagrams::add(const HostPort& to, size_t size) {
  const auto endpoint = to_endpoint<udp::endpoint>(to, family_);
  if (!endpoint) {
    ++sent_.failed;
    return;
  }
  out_->endpoints[queued_] = *endpoint;
  out_->headers[queued_].msg_hdr.msg_namelen = static_cast<socklen_t>(endpoint->size());
  out_->vectors[queued_].iov_len = size;
  ++queued_;
}

void Datagrams::flush() {
  size_t done = 0;
  while (done < queued_) {
    const int count = sendmmsg(socket_.native_handle(), &out_->headers[done],
                               static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (count <= 0) {
      if (errno == EINTR) continue;
      if (errno == EMSGSIZE && give_way(out_->vectors[done].iov_len)) continue;
      // A full socket is full for the rest too; any other refusal is of this one packet.
      const size_t refused = errno == EAGAIN || errno == EWOULDBLOCK ? queued_ - done : 1;
      sent_.failed += refused;
      done += refused;
      continue;
    }
    for (int i = 0; i < count; ++i) {
      ++sent_.packets;
      sent_.bytes += out_->vectors[done++].iov_len;
    }
  }
  queued_ = 0;
}

}  // namespace shoal::gossip
