#include "worker/dns/server/test_net.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace shoal::worker::dns {
namespace {

using std::chrono::milliseconds;

sockaddr_in address_of(uint32_t ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(ip);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool readable(int fd, milliseconds timeout) {
  pollfd wanted{fd, POLLIN, 0};
  return poll(&wanted, 1, static_cast<int>(timeout.count())) > 0;
}

bool read_exactly(int fd, uint8_t* out, size_t size) {
  while (size > 0) {
    if (!readable(fd, milliseconds(5000))) return false;
    const ssize_t got = read(fd, out, size);
    if (got <= 0) return false;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

bool enter_fresh_host_namespace() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return ioctl(any.get(), SIOCSIFFLAGS, &request) == 0;
}

TestNetns::TestNetns() {
  std::thread([this] {
    SHOAL_CHECK(unshare(CLONE_NEWNET) == 0, "unshare");
    fd_ = Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }).join();
}

std::string TestNetns::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

void TestNetns::run(const std::function<void()>& work) const {
  std::thread([&] {
    SHOAL_CHECK(setns(fd_.get(), CLONE_NEWNET) == 0, "setns");
    work();
  }).join();
}

Fd TestNetns::connect(int type, uint16_t port) const {
  Fd fd;
  run([&] {
    fd = Fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const sockaddr_in address = address_of(0x7f00000b, port);
    if (::connect(fd.get(), generic(address), sizeof address) != 0) fd = Fd();
  });
  return fd;
}

std::string shell(const std::string& command) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  SHOAL_CHECK(pipe != nullptr, "popen");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
  const int status = pclose(pipe);
  return status == 0 ? out : "exit " + std::to_string(status) + ": " + out;
}

Bytes receive(int fd, milliseconds timeout) {
  if (!readable(fd, timeout)) return {};
  Bytes out(kMaxMessageSize);
  const ssize_t got = recv(fd, out.data(), out.size(), 0);
  out.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return out;
}

std::optional<Bytes> ask_udp(int fd, const Bytes& query) {
  for (int i = 0; i < 20; ++i) {
    send(fd, query.data(), query.size(), MSG_NOSIGNAL);
    while (true) {
      Bytes reply = receive(fd, milliseconds(500));
      if (reply.empty()) break;
      if (reply.size() >= 2 && reply[0] == query[0] && reply[1] == query[1]) return reply;
    }
  }
  return std::nullopt;
}

Bytes framed(const Bytes& packet) {
  ByteWriter writer;
  writer.u16(static_cast<uint16_t>(packet.size()));
  writer.raw(packet);
  return writer.take();
}

std::optional<Bytes> read_framed(int fd) {
  uint8_t prefix[2];
  if (!read_exactly(fd, prefix, 2)) return std::nullopt;
  Bytes out(static_cast<size_t>(prefix[0] << 8 | prefix[1]));
  if (!read_exactly(fd, out.data(), out.size())) return std::nullopt;
  return out;
}

bool write_all(int fd, const Bytes& data) {
  return send(fd, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size());
}

FakeUpstream::FakeUpstream(Handler handler)
    : handler_(std::move(handler)),
      udp_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
      tcp_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = address_of(0x7f000001, 0);
  SHOAL_CHECK(bind(udp_.get(), generic(address), sizeof address) == 0, "bind");
  socklen_t size = sizeof address;
  getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  SHOAL_CHECK(bind(tcp_.get(), generic(address), sizeof address) == 0, "bind");
  SHOAL_CHECK(listen(tcp_.get(), 16) == 0, "listen");
  address_ = {Ip::v4(0x7f000001), ntohs(address.sin_port)};
  thread_ = std::thread([this] { run(); });
}

FakeUpstream::~FakeUpstream() {
  stopping_ = true;
  thread_.join();
}

void FakeUpstream::run() {
  while (!stopping_) {
    pollfd wanted[] = {{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
    if (poll(wanted, 2, 20) <= 0) continue;
    if (wanted[1].revents != 0) serve_tcp();
    if (wanted[0].revents == 0) continue;
    sockaddr_in peer{};
    socklen_t peer_size = sizeof peer;
    Bytes packet(kMaxMessageSize);
    const ssize_t got = recvfrom(udp_.get(), packet.data(), packet.size(), 0,
                                 reinterpret_cast<sockaddr*>(&peer), &peer_size);
    if (got <= 0) continue;
    packet.resize(static_cast<size_t>(got));
    ++asked_;
    const auto reply = handler_(read_query(packet));
    if (reply) sendto(udp_.get(), reply->data(), reply->size(), 0, generic(peer), peer_size);
  }
}

void FakeUpstream::serve_tcp() {
  const Fd connection(accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto packet = read_framed(connection.get());
  if (!packet) return;
  ++asked_;
  const auto reply = handler_(read_query(*packet));
  if (reply) write_all(connection.get(), framed(*reply));
  // The peer closes; what it has not read must not be lost by closing first.
  receive(connection.get(), milliseconds(1000));
}

}  // namespace shoal::worker::dns
