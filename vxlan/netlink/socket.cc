#include "vxlan/netlink/socket.h"

#include <linux/netfilter/nfnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>

#include "vxlan/netlink/errno_error.h"

namespace shoal::vxlan {
namespace {

// Acknowledgements of one batch wait in the receive buffer, each counted with its sk_buff as about
// 0.8 KiB; what does not fit is lost. The buffer is what every kernel grants (rmem_max's default).
constexpr size_t kBatchMessages = 128;
constexpr int kSocketBuffer = 208 << 10;
constexpr size_t kBatchBytes = 32U << 10;
constexpr int kDumpAttempts = 8;
// Far beyond what the kernel takes for one request; so a lost answer is an error, not a hang.
constexpr timeval kAnswerTimeout{10, 0};
// Room for a burst of notifications; beyond it ENOBUFS tells us to look at everything.
constexpr int kMonitorBuffer = 1 << 20;

Result<NlSockPtr> connect(int protocol) {
  NlSockPtr socket(nl_socket_alloc());
  if (socket == nullptr) return resource_exhausted("out of memory for a netlink socket");
  const int error = nl_connect(socket.get(), protocol);
  if (error < 0) {
    return internal_error(std::string("cannot open a netlink socket: ") + nl_geterror(error));
  }
  // libnl's own default is 32 KiB.
  nl_socket_set_buffer_size(socket.get(), kSocketBuffer, kSocketBuffer);
  return socket;
}

// The kernel's own sentence about a refusal, if it gave one.
std::string extended_ack(const nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto* const error = static_cast<const nlmsgerr*>(nlmsg_data(header));
  size_t offset = sizeof *error;
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) {
    offset += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  const auto size = static_cast<size_t>(nlmsg_datalen(header));
  if (offset >= size) return {};
  const auto* const start = static_cast<const uint8_t*>(nlmsg_data(header)) + offset;
  return Attributes(reinterpret_cast<const nlattr*>(start), static_cast<int>(size - offset))
      .string(NLMSGERR_ATTR_MSG);
}

}  // namespace

void NlSockFree::operator()(nl_sock* socket) const { nl_socket_free(socket); }

NetlinkSocket::NetlinkSocket(NlSockPtr socket) : socket_(std::move(socket)) {}

Result<NetlinkSocket> NetlinkSocket::open_here() {
  NetlinkSocket result(SHOAL_TRY(connect(NETLINK_ROUTE)));
  const int fd = nl_socket_get_fd(result.socket_.get());
  const int on = 1;
  // Strict checking makes dump filters count; both options are absent from old kernels, which then
  // send more than was asked for.
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout) != 0) {
    return errno_error(errno, "set up a netlink socket");
  }
  return result;
}

Result<NetlinkSocket> NetlinkSocket::open(const NamespaceFd& space) {
  Result<NetlinkSocket> result = internal_error("not opened");
  SHOAL_TRY(run_in_namespace(space, [&]() -> Status {
    result = open_here();
    return ok_status();
  }));
  return result;
}

Status NetlinkSocket::send(const void* data, size_t size) {
  ssize_t sent;
  do {
    sent = ::send(nl_socket_get_fd(socket_.get()), data, size, 0);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno_error(errno, "send to the kernel");
  return ok_status();
}

// The kernel cuts dumps into pieces of at most this size. One for each operation, not for each
// socket: there is a socket for each endpoint.
class NetlinkSocket::Answer {
 public:
  size_t capacity() const { return kCapacity; }
  uint8_t* data() { return bytes_.get(); }
  nlmsghdr* first() { return reinterpret_cast<nlmsghdr*>(bytes_.get()); }

 private:
  static constexpr size_t kCapacity = 64U << 10;
  std::unique_ptr<uint8_t[]> bytes_ = std::make_unique_for_overwrite<uint8_t[]>(kCapacity);
};

Result<size_t> NetlinkSocket::receive(Answer& answer) {
  while (true) {
    // MSG_TRUNC: the true size, also when it did not fit.
    const ssize_t size =
        ::recv(nl_socket_get_fd(socket_.get()), answer.data(), answer.capacity(), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error(errno, "read the kernel's answer");
    if (static_cast<size_t>(size) > answer.capacity()) {
      return internal_error("the kernel's answer was longer than " +
                            std::to_string(answer.capacity()) + " bytes");
    }
    return static_cast<size_t>(size);
  }
}

Status NetlinkSocket::request(Message& message, const std::string& action) {
  return get(message, action, nullptr);
}

Status NetlinkSocket::get(Message& message, const std::string& action,
                          const std::function<void(const nlmsghdr*)>& each) {
  nlmsghdr* const header = message.header();
  header->nlmsg_flags |= NLM_F_ACK;
  header->nlmsg_seq = ++sequence_;
  SHOAL_TRY(send(header, header->nlmsg_len));
  Answer answer;
  while (true) {
    int size = static_cast<int>(SHOAL_TRY(receive(answer)));
    for (auto* part = answer.first(); nlmsg_ok(part, size); part = nlmsg_next(part, &size)) {
      if (part->nlmsg_seq != sequence_) continue;  // left over from a request that timed out
      if (part->nlmsg_type != NLMSG_ERROR) {
        if (each) each(part);
        continue;
      }
      const int error = -static_cast<const nlmsgerr*>(nlmsg_data(part))->error;
      if (error != 0) return errno_error(error, action, extended_ack(part));
      return ok_status();
    }
  }
}

std::vector<int> NetlinkSocket::batch(std::vector<Message>& messages) {
  std::vector<int> results(messages.size(), EIO);
  std::vector<uint8_t> block;
  Answer answer;
  for (size_t begin = 0; begin < messages.size();) {
    block.clear();
    const uint32_t first = sequence_ + 1;
    size_t end = begin;
    while (end < messages.size() && end - begin < kBatchMessages && block.size() < kBatchBytes) {
      nlmsghdr* const header = messages[end++].header();
      header->nlmsg_flags |= NLM_F_ACK;
      header->nlmsg_seq = ++sequence_;
      const auto* const bytes = reinterpret_cast<const uint8_t*>(header);
      block.insert(block.end(), bytes, bytes + header->nlmsg_len);
      block.resize(NLMSG_ALIGN(block.size()));
    }
    if (!send(block.data(), block.size())) return results;
    for (size_t waiting = end - begin; waiting > 0;) {
      const auto received = receive(answer);
      if (!received) return results;
      int size = static_cast<int>(*received);
      for (auto* part = answer.first(); nlmsg_ok(part, size); part = nlmsg_next(part, &size)) {
        const uint32_t position = part->nlmsg_seq - first;
        if (part->nlmsg_type != NLMSG_ERROR || position >= end - begin) continue;
        results[begin + position] = -static_cast<const nlmsgerr*>(nlmsg_data(part))->error;
        --waiting;
      }
    }
    begin = end;
  }
  return results;
}

Result<NetlinkSocket::DumpEnd> NetlinkSocket::read_dump(
    uint32_t sequence, const std::string& action,
    const std::function<void(const nlmsghdr*)>& each) {
  bool interrupted = false;
  Answer answer;
  while (true) {
    int size = static_cast<int>(SHOAL_TRY(receive(answer)));
    for (auto* part = answer.first(); nlmsg_ok(part, size); part = nlmsg_next(part, &size)) {
      if (part->nlmsg_seq != sequence) continue;
      if ((part->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (part->nlmsg_type == NLMSG_DONE || part->nlmsg_type == NLMSG_ERROR) {
        // Both begin with a negative errno or 0.
        int error = 0;
        if (nlmsg_datalen(part) >= static_cast<int>(sizeof error)) {
          std::memcpy(&error, nlmsg_data(part), sizeof error);
        }
        if (error != 0) return errno_error(-error, action);
        return interrupted ? DumpEnd::kInterrupted : DumpEnd::kDone;
      }
      each(part);
    }
  }
}

Status NetlinkSocket::dump(Message& message, const std::string& action,
                           const std::function<void(const nlmsghdr*)>& each,
                           const std::function<void()>& restart) {
  nlmsghdr* const header = message.header();
  header->nlmsg_flags |= NLM_F_DUMP;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    header->nlmsg_seq = ++sequence_;
    SHOAL_TRY(send(header, header->nlmsg_len));
    if (SHOAL_TRY(read_dump(sequence_, action, each)) == DumpEnd::kDone) return ok_status();
    restart();
  }
  return unavailable("cannot " + action + ": the table changed during each of " +
                     std::to_string(kDumpAttempts) + " attempts");
}

Result<NetlinkMonitor> NetlinkMonitor::open_here(const std::vector<int>& groups) {
  return watch(SHOAL_TRY(connect(NETLINK_ROUTE)), groups);
}

Result<NetlinkMonitor> NetlinkMonitor::open_rules_here() {
  return watch(SHOAL_TRY(connect(NETLINK_NETFILTER)), {NFNLGRP_NFTABLES});
}

Result<NetlinkMonitor> NetlinkMonitor::watch(NlSockPtr socket, const std::vector<int>& groups) {
  NetlinkMonitor result(std::move(socket));
  const int fd = result.fd();
  // Beyond the system's bound when we may; a smaller buffer only means ENOBUFS earlier.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kMonitorBuffer, sizeof kMonitorBuffer);
  for (const int group : groups) {
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return errno_error(errno, "watch a namespace");
    }
  }
  return result;
}

Result<NetlinkMonitor> NetlinkMonitor::open(const NamespaceFd& space,
                                            const std::vector<int>& groups) {
  Result<NetlinkMonitor> result = internal_error("not opened");
  SHOAL_TRY(run_in_namespace(space, [&]() -> Status {
    result = open_here(groups);
    return ok_status();
  }));
  return result;
}

int NetlinkMonitor::fd() const { return nl_socket_get_fd(socket_.get()); }

bool NetlinkMonitor::drain() {
  std::array<uint8_t, 8192> scratch;
  bool anything = false;
  while (true) {
    const ssize_t size = ::recv(fd(), scratch.data(), scratch.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size >= 0 || errno == ENOBUFS) {
      anything = true;
    } else if (errno != EINTR) {
      return anything;
    }
  }
}

}  // namespace shoal::vxlan
