// Namespaces, clients and upstreams for the tests of the server, all inside the test process.
//
// Namespaces are anonymous (held by a descriptor only), so nothing can stay behind, not even after
// a crash; the test process itself moves into one that plays the host.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "worker/dns/policy/test_packets.h"
#include "worker/dns/server/netns_sockets.h"

namespace shoal::worker::dns {

// Moves the calling thread (and those it starts from now on) to a fresh namespace with `lo` up.
// False without the permission.
bool enter_fresh_host_namespace();

class TestNetns {
 public:
  TestNetns();  // `lo` is down
  int fd() const { return fd_.get(); }
  // For `nsenter --net=PATH`.
  std::string path() const;
  // Runs `work` on a thread inside the namespace and waits for it.
  void run(const std::function<void()>& work) const;
  // A socket of this namespace connected to 127.0.0.11:`port`; SOCK_DGRAM or SOCK_STREAM.
  Fd connect(int type, uint16_t port) const;
  void close() { fd_ = Fd(); }

 private:
  Fd fd_;
};

// The exit-code-0 output of a shell command, or the reason it has none.
std::string shell(const std::string& command);

// One datagram or stream read within `timeout`; empty when there was none (or the end).
Bytes receive(int fd, std::chrono::milliseconds timeout);
// Sends a query and waits for its reply; asks again after half a second, as a stub does.
std::optional<Bytes> ask_udp(int fd, const Bytes& query);
Bytes framed(const Bytes& packet);
// The next framed message; none at the end of the stream or after 5 s.
std::optional<Bytes> read_framed(int fd);
bool write_all(int fd, const Bytes& data);

// An upstream on UDP and TCP of 127.0.0.1 in the namespace of the constructing thread.
class FakeUpstream {
 public:
  using Handler = std::function<std::optional<Bytes>(const Query&)>;
  explicit FakeUpstream(Handler handler);
  ~FakeUpstream();

  HostPort address() const { return address_; }
  int asked() const { return asked_; }

 private:
  void run();
  void serve_tcp();

  Handler handler_;
  Fd udp_;
  Fd tcp_;
  HostPort address_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

}  // namespace shoal::worker::dns
