#include "vxlan/filter/elements.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "vxlan/netlink/errno_error.h"

namespace shoal::vxlan {
namespace {

// Some ten thousand elements in one transaction.
constexpr int kSendBuffer = 4 << 20;
constexpr size_t kReceiveBuffer = 64U << 10;  // more than the kernel puts into one datagram

// Calls `each` for every message of a datagram.
template <typename Each>
void for_each_message(ByteView data, Each each) {
  while (data.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, data.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > data.size()) return;
    each(header, data.subspan(0, header.nlmsg_len));
    data = data.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), data.size()));
  }
}

// The errno of an acknowledgement; 0 is one that is good.
int error_of(ByteView message) {
  int error = 0;
  if (message.size() < sizeof(nlmsghdr) + sizeof error) return EBADMSG;
  std::memcpy(&error, message.data() + sizeof(nlmsghdr), sizeof error);
  return -error;
}

}  // namespace

Result<NetfilterSocket> NetfilterSocket::open(const NamespaceFd& space) {
  UniqueFd fd;
  SHOAL_TRY(run_in_namespace(space, [&]() -> Status {
    fd = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd.valid()) return errno_error(errno, "open a socket to the packet filter");
    return ok_status();
  }));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer);
  return NetfilterSocket(std::move(fd));
}

Status NetfilterSocket::send(const Bytes& message, const std::string& action) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = sendto(fd_.get(), message.data(), message.size(), 0,
                              reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent == static_cast<ssize_t>(message.size())) return ok_status();
  return errno_error(sent < 0 ? errno : EMSGSIZE, action);
}

Result<ByteView> NetfilterSocket::receive(const std::string& action) {
  buffer_.resize(kReceiveBuffer);
  while (true) {
    const ssize_t size = recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size >= 0) return ByteView(buffer_.data(), static_cast<size_t>(size));
    if (errno == EAGAIN) return ByteView();
    if (errno != EINTR) return errno_error(errno, action);
  }
}

// All that waits: one acknowledgement when it went well, else an error for each that did not.
Status NetfilterSocket::read_answers(const std::string& action) {
  bool answered = false;
  int error = 0;
  for (ByteView data = SHOAL_TRY(receive(action)); !data.empty();
       data = SHOAL_TRY(receive(action))) {
    for_each_message(data, [&](const nlmsghdr& header, ByteView message) {
      if (header.nlmsg_type != NLMSG_ERROR) return;
      answered = true;
      if (error == 0) error = error_of(message);
    });
  }
  if (error != 0) return errno_error(error, action);
  if (!answered) return internal_error("cannot " + action + ": the kernel did not answer");
  return ok_status();
}

Status NetfilterSocket::change(std::string_view table, std::span<const ElementChange> changes) {
  if (changes.empty()) return ok_status();
  const std::string action = "change the ports that are published";
  const Bytes batch = encode_element_batch(table, changes, sequence_);
  sequence_ += static_cast<uint32_t>(changes.size()) + 2;
  SHOAL_TRY(send(batch, action));
  return read_answers(action);
}

Result<std::vector<MapElement>> NetfilterSocket::list(std::string_view table,
                                                      std::string_view map) {
  const std::string action = "list the ports that are published";
  SHOAL_TRY(send(encode_element_dump(table, map, sequence_++), action));
  std::vector<MapElement> out;
  Status failed = ok_status();
  bool done = false;
  while (!done) {
    const ByteView data = SHOAL_TRY(receive(action));
    if (data.empty()) return internal_error("cannot " + action + ": the list has no end");
    for_each_message(data, [&](const nlmsghdr& header, ByteView message) {
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
        done = true;
        const int error = error_of(message);
        if (error != 0) failed = errno_error(error, action);
        return;
      }
      auto elements = parse_elements(message, map);
      if (!elements) {
        failed = elements.error();
        return;
      }
      out.insert(out.end(), std::make_move_iterator(elements->begin()),
                 std::make_move_iterator(elements->end()));
    });
  }
  SHOAL_TRY(std::move(failed));
  return out;
}

Status NetfilterSocket::forget_answers(const Ip& address) {
  const std::string action = "forget the connections to " + address.str();
  SHOAL_TRY(send(encode_forget_answers(address, sequence_++), action));
  return read_answers(action);
}

Status NetfilterSocket::forget_asked(uint8_t protocol, const Ip& address, uint16_t port) {
  const std::string action = "forget the connections to port " + std::to_string(port);
  SHOAL_TRY(send(encode_forget_asked(protocol, address, port, sequence_++), action));
  return read_answers(action);
}

}  // namespace shoal::vxlan
