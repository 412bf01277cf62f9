#include "worker/hostnet/loopback_relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "base/runtime/log.h"
#include "vxlan/netlink/errno_error.h"

namespace shoal::worker {
namespace {

constexpr int kBacklog = 128;
constexpr size_t kChunk = 256U << 10;  // of one splice(2)
// Of one connection before the next has its turn.
constexpr int kTurns = 16;
constexpr int kEvents = 64;

// One way of a connection.
struct Way {
  int from = -1;
  int to = -1;
  UniqueFd read_end;
  UniqueFd write_end;
  size_t held = 0;  // bytes in the pipe
  bool ended = false;
  bool told = false;  // that it ended
};

struct Connection {
  EndpointId endpoint;
  UniqueFd client;
  UniqueFd server;
  bool connected = false;
  std::array<Way, 2> ways;
};

bool make_pipe(Way& way) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  way.read_end = UniqueFd(ends[0]);
  way.write_end = UniqueFd(ends[1]);
  return true;
}

enum class Moved { kSome, kNone, kFailed };

Moved move_once(Way& way) {
  constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  Moved moved = Moved::kNone;
  if (!way.ended) {
    const ssize_t size = splice(way.from, nullptr, way.write_end.get(), nullptr, kChunk, kFlags);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return Moved::kFailed;
    way.ended = size == 0;
    if (size > 0) way.held += static_cast<size_t>(size);
    if (size >= 0) moved = Moved::kSome;
  }
  if (way.held > 0) {
    const ssize_t size = splice(way.read_end.get(), nullptr, way.to, nullptr, way.held, kFlags);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return Moved::kFailed;
    if (size > 0) way.held -= static_cast<size_t>(size);
    if (size > 0) moved = Moved::kSome;
  }
  if (way.ended && way.held == 0 && !way.told) {
    shutdown(way.to, SHUT_WR);
    way.told = true;
  }
  return moved;
}

bool is_to_loopback(const UniqueFd& fd) {
  sockaddr_in6 local{};
  socklen_t size = sizeof local;
  return getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0 &&
         IN6_IS_ADDR_LOOPBACK(&local.sin6_addr) != 0;
}

// Closed as if nobody had listened.
void refuse(UniqueFd fd) {
  const linger at_once{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

UniqueFd begin_connect(const Ip& to, uint16_t port) {
  UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  std::memcpy(&address.sin6_addr, to.bytes().data(), sizeof address.sin6_addr);
  const int done = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (done != 0 && errno != EINPROGRESS) return {};
  return fd;
}

}  // namespace

class LoopbackRelay::Impl {
 public:
  Impl(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {
    watch(wake_.get(), EPOLLIN);
    thread_ = std::thread([this] { loop(); });
    pthread_setname_np(thread_.native_handle(), "shoal-relay");
  }
  ~Impl() {
    post([this] { stopping_ = true; });
    thread_.join();
  }

  void post(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    const uint64_t one = 1;
    // Only a counter at its maximum refuses, and then the thread is awake already.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
  }

  void serve(const EndpointId& id, std::vector<Listener>& listeners) {
    drop(id);
    for (Listener& listener : listeners) {
      const int fd = listener.socket.get();
      const int flags = fcntl(fd, F_GETFL);
      if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || listen(fd, kBacklog) != 0 ||
          !watch(fd, EPOLLIN)) {
        log::warn("host_plane", "a port of [::1] is not relayed: {}", std::strerror(errno));
        continue;
      }
      listeners_[fd] = {id, std::move(listener)};
    }
  }

  void drop(const EndpointId& id) {
    // Another descriptor of it holds the port still: only closing all of them would end the watch.
    for (auto at = listeners_.begin(); at != listeners_.end();) {
      const bool its = at->second.first == id;
      if (its) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, at->first, nullptr);
      at = its ? listeners_.erase(at) : std::next(at);
    }
    std::set<Connection*> ended;
    for (const auto& [fd, connection] : connections_) {
      if (connection->endpoint == id) ended.insert(connection.get());
    }
    for (Connection* connection : ended) end(*connection);
  }

 private:
  bool watch(int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }

  void loop() {
    std::array<epoll_event, kEvents> events{};
    while (!stopping_) {
      // Only what still has something to move is looked at without an event.
      const int count = epoll_wait(epoll_.get(), events.data(), kEvents, busy_.empty() ? -1 : 0);
      std::set<int> ready = std::exchange(busy_, {});
      for (int i = 0; i < count; ++i) {
        const int fd = events.at(static_cast<size_t>(i)).data.fd;
        if (fd == wake_.get()) {
          run_jobs();
        } else if (const auto listener = listeners_.find(fd); listener != listeners_.end()) {
          accept_from(listener->second.first, listener->second.second);
        } else {
          ready.insert(fd);
        }
      }
      for (const int fd : ready) {
        const auto found = connections_.find(fd);
        if (found != connections_.end()) pump(fd, found->second);
      }
    }
  }

  void run_jobs() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> jobs;
    {
      const std::lock_guard lock(mutex_);
      jobs.swap(jobs_);
    }
    for (const auto& job : jobs) job();
  }

  void accept_from(const EndpointId& id, const Listener& listener) {
    UniqueFd client(accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    // Both of a connection's sockets lead to it.
    if (!is_to_loopback(client) || connections_.size() >= 2 * kMostConnections) {
      return refuse(std::move(client));
    }
    auto connection = std::make_shared<Connection>();
    connection->endpoint = id;
    connection->server = begin_connect(listener.to, listener.port);
    if (!connection->server.valid()) return refuse(std::move(client));
    const int from = client.get();
    const int to = connection->server.get();
    connection->client = std::move(client);
    const int one = 1;
    for (const int fd : {from, to}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (Way& way : connection->ways) {
      const bool out = &way == &connection->ways[0];
      way.from = out ? from : to;
      way.to = out ? to : from;
      if (!make_pipe(way)) return refuse(std::move(connection->client));
    }
    connections_[from] = connection;
    connections_[to] = connection;
    for (const int fd : {from, to}) watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }

  void pump(int fd, const std::shared_ptr<Connection>& connection) {
    if (!connection->connected) {
      if (fd != connection->server.get()) return;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return end(*connection);
      connection->connected = true;
    }
    for (int turn = 0; turn < kTurns; ++turn) {
      bool some = false;
      for (Way& way : connection->ways) {
        const Moved moved = move_once(way);
        if (moved == Moved::kFailed) return end(*connection);
        some = some || moved == Moved::kSome;
      }
      if (connection->ways[0].told && connection->ways[1].told) return end(*connection);
      if (!some) return;
    }
    busy_.insert(fd);
  }

  // What has not ended well is reset, as the endpoint's own end of it is.
  void end(Connection& connection) {
    const int from = connection.client.get();
    const int to = connection.server.get();
    const bool well = connection.ways[0].told && connection.ways[1].told;
    if (!well) refuse(std::move(connection.client));
    busy_.erase(from);
    busy_.erase(to);
    const auto kept = connections_.at(from);
    connections_.erase(from);
    connections_.erase(to);
  }

  UniqueFd epoll_;
  UniqueFd wake_;
  bool stopping_ = false;
  std::map<int, std::pair<EndpointId, Listener>> listeners_;
  std::map<int, std::shared_ptr<Connection>> connections_;  // by either of its sockets
  std::set<int> busy_;                                      // with more to move than its turns
  std::mutex mutex_;                                        // guards the one below
  std::vector<std::function<void()>> jobs_;
  std::thread thread_;  // last: it uses all of the above
};

LoopbackRelay::LoopbackRelay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LoopbackRelay::~LoopbackRelay() = default;

Result<std::unique_ptr<LoopbackRelay>> LoopbackRelay::start() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) return vxlan::errno_error(errno, "make the relay of [::1]");
  auto impl = std::make_unique<Impl>(std::move(epoll), std::move(wake));
  return std::unique_ptr<LoopbackRelay>(new LoopbackRelay(std::move(impl)));
}

void LoopbackRelay::serve(const EndpointId& id, std::vector<Listener> listeners) {
  auto shared = std::make_shared<std::vector<Listener>>(std::move(listeners));
  impl_->post([impl = impl_.get(), id, shared] { impl->serve(id, *shared); });
}

void LoopbackRelay::drop(const EndpointId& id) {
  std::promise<void> dropped;
  impl_->post([impl = impl_.get(), id, &dropped] {
    impl->drop(id);
    dropped.set_value();
  });
  dropped.get_future().wait();
}

}  // namespace shoal::worker
