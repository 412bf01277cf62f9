#include "base/rpc/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace shoal {
namespace {

constexpr int kBacklog = 4096;
constexpr mode_t kSocketMode = 0660;
// Out of descriptors or over the rate: looks again after this.
constexpr int kPauseMs = 20;

Instant now() {
  return Instant{} +
         std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

int bound_socket(const HostPort& listen) {
  const bool v6 = listen.ip.is_v6() || listen.ip.is_unspecified();
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (v6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(listen.port);
    if (listen.ip.is_v6()) std::memcpy(&address.sin6_addr, listen.ip.bytes().data(), 16);
    size = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(listen.port);
    std::memcpy(&address.sin_addr, listen.ip.bytes().data(), 4);
    size = sizeof address;
  }
  if (bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0 && ::listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int code = errno;
  close(fd);
  errno = code;
  return -1;
}

int descriptor_bound() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMaxDescriptors;
  const auto most = static_cast<rlim_t>(kMaxDescriptors);
  return static_cast<int>(std::min(most, limit.rlim_cur - limit.rlim_cur / kReservedShare));
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(const HostPort& listen) {
  int fd = bound_socket(listen);
  // A host without IPv6.
  if (fd < 0 && errno == EAFNOSUPPORT && listen.ip.is_v4()) {
    HostPort any = listen;
    any.ip = Ip::v4(INADDR_ANY);
    fd = bound_socket(any);
  }
  UniqueFd socket(fd);
  if (!socket.valid()) {
    return already_exists("the cluster port " + listen.str() +
                          " cannot be listened on: " + std::strerror(errno));
  }
  return make(std::move(socket));
}

Result<std::unique_ptr<Listener>> Listener::open_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return invalid_argument("--socket " + path + " is longer than " +
                            std::to_string(sizeof address.sun_path - 1) + " characters");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), kSocketMode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return internal_error("cannot listen on " + path + ": " + std::strerror(errno));
  }
  return make(std::move(fd));
}

Result<std::unique_ptr<Listener>> Listener::take(UniqueFd bound) {
  if (::listen(bound.get(), kBacklog) != 0) {
    return internal_error(std::string("cannot listen: ") + std::strerror(errno));
  }
  return make(std::move(bound));
}

Result<std::unique_ptr<Listener>> Listener::make(UniqueFd socket) {
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return resource_exhausted("this process has no descriptor left");
  return std::unique_ptr<Listener>(new Listener(std::move(socket), std::move(wake)));
}

Listener::~Listener() { stop(); }

void Listener::start(std::unique_ptr<Acceptor> acceptor, GuestProtocol guest) {
  acceptor_ = std::move(acceptor);
  guest_ = std::move(guest);
  guest_rate_ = RateLimit(guest_.per_second, guest_.per_second);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "shoal-accept");
    run();
  });
}

void Listener::stop() {
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
  socket_ = UniqueFd();
  silent_.clear();
}

Result<HostPort> Listener::address() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return internal_error(std::string("getsockname: ") + std::strerror(errno));
  }
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return HostPort{Ip::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return HostPort{Ip::v6(bytes), ntohs(v6.sin6_port)};
}

// False when it is time to end. Without connections it waits kPauseMs at most.
bool Listener::wait(bool for_connections) {
  poll_.clear();
  poll_.push_back({wake_.get(), POLLIN, 0});
  poll_.push_back({for_connections ? socket_.get() : -1, POLLIN, 0});
  for (const Silent& silent : silent_) poll_.push_back({silent.fd.get(), POLLIN, 0});
  int timeout = for_connections ? -1 : kPauseMs;
  if (for_connections && !silent_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(silent_.front().until - now()).count();
    timeout = static_cast<int>(std::clamp<int64_t>(left, 0, kFirstByteMs));
  }
  poll(poll_.data(), poll_.size(), timeout);
  return poll_[0].revents == 0;
}

void Listener::run() {
  RateLimit rate(kAcceptsPerSecond, kAcceptBurst);
  bool for_connections = true;
  while (wait(for_connections)) {
    const bool waiting = poll_[1].revents != 0;
    look_at_silent();
    for_connections = for_connections ? !waiting || (rate.allow(now()) && accept_one()) : true;
  }
}

// False when there is no descriptor for it now.
bool Listener::accept_one() {
  UniqueFd fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  }
  // The kernel gives the lowest free number, so this says how many are open.
  if (fd.get() >= descriptor_bound()) {
    ++refused_;
    return true;
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sort(std::move(fd));
  return true;
}

void Listener::sort(UniqueFd connection) {
  if (!guest_.take) return give_to_grpc(std::move(connection));
  if (give(connection)) return;
  silent_.push_back({std::move(connection), now() + std::chrono::milliseconds(kFirstByteMs)});
}

// False when it has said nothing yet.
bool Listener::give(UniqueFd& connection) {
  uint8_t first = 0;
  const ssize_t got = recv(connection.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  UniqueFd taken = std::move(connection);
  if (got <= 0) return true;
  if (first != guest_.first_byte) {
    give_to_grpc(std::move(taken));
  } else if (guest_rate_.allow(now())) {
    guest_.take(std::move(taken));
  } else {
    ++refused_;
  }
  return true;
}

void Listener::give_to_grpc(UniqueFd connection) {
  Acceptor::NewConnectionParameters parameters;
  parameters.listener_fd = socket_.get();
  parameters.fd = connection.release();
  acceptor_->HandleNewConnection(&parameters);
}

void Listener::look_at_silent() {
  const Instant time = now();
  for (size_t i = 0; i + 2 < poll_.size(); ++i) {
    if (poll_[i + 2].revents != 0) give(silent_[i].fd);
  }
  std::erase_if(silent_, [](const Silent& silent) { return !silent.fd.valid(); });
  while (!silent_.empty() && silent_.front().until <= time) {
    ++refused_;
    silent_.pop_front();
  }
}

}  // namespace shoal
