#include "node/listener.h"

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
#include <cerrno>
#include <chrono>
#include <cstring>

#include "manager/api/rate_limit.h"

namespace shoal::node {
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
  vxlan::UniqueFd socket(fd);
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
  vxlan::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), kSocketMode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return internal_error("cannot listen on " + path + ": " + std::strerror(errno));
  }
  return make(std::move(fd));
}

Result<std::unique_ptr<Listener>> Listener::make(vxlan::UniqueFd socket) {
  vxlan::UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return resource_exhausted("this process has no descriptor left");
  return std::unique_ptr<Listener>(new Listener(std::move(socket), std::move(wake)));
}

Listener::~Listener() { stop(); }

void Listener::start(std::unique_ptr<Acceptor> acceptor) {
  acceptor_ = std::move(acceptor);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "shoal-accept");
    run();
  });
}

void Listener::stop() {
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
  socket_ = vxlan::UniqueFd();
}

// False when it is time to end.
bool Listener::wait(bool for_connections, int timeout_ms) {
  pollfd sources[] = {{wake_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
  poll(sources, for_connections ? 2 : 1, timeout_ms);
  return sources[0].revents == 0;
}

void Listener::run() {
  manager::RateLimit rate(kAcceptsPerSecond, kAcceptBurst);
  while (wait(true, -1)) {
    const bool go_on = rate.allow(now()) && accept_one();
    if (!go_on && !wait(false, kPauseMs)) return;
  }
}

// False when there is no descriptor for it now.
bool Listener::accept_one() {
  const int fd = accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  // The kernel gives the lowest free number, so this says how many are open.
  if (fd >= descriptor_bound()) {
    close(fd);
    ++refused_;
    return true;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Acceptor::NewConnectionParameters connection;
  connection.listener_fd = socket_.get();
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
  return true;
}

}  // namespace shoal::node
