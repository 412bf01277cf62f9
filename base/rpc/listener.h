// Listener: accepts connections on the cluster port or the local socket and hands them to gRPC.
//
// gRPC's own listener ends for good when the process runs out of descriptors, which anyone who
// reaches the port could bring about, and takes connections as fast as they come, each with the
// memory of a TLS handshake. This one never ends, leaves descriptors for the rest of the daemon,
// and takes so many connections a second; the others wait in the kernel's queue.
//
// A second protocol can share the port when its connections begin with a byte that gRPC's never
// begin with (TLS: 0x16). A connection is given away when its first byte is there, which is left in
// it; who says nothing is dropped after kFirstByteMs.
//
// Thread rule: a thread of its own accepts and calls the takers; refused() from any thread.
#pragma once

#include <grpcpp/server_builder.h>
#include <poll.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/runtime/unique_fd.h"
#include "base/types/ip.h"
#include "base/types/rate_limit.h"
#include "base/types/result.h"
#include "base/types/time.h"

namespace shoal {

// A connection is refused while the daemon has so many descriptors: enough for thousands of nodes.
inline constexpr int kMaxDescriptors = 8192;
// Of the process's limit this part is left to everything else.
inline constexpr int kReservedShare = 4;
// New connections: the burst of a cluster whose leader changed, and with the time a handshake may
// take (node/manager_part.cc) a bound on how many are unproved.
inline constexpr double kAcceptsPerSecond = 250;
inline constexpr double kAcceptBurst = 500;
inline constexpr int kFirstByteMs = 5'000;

// Of the connections that begin with `first_byte`, so many a second; the others are closed.
struct GuestProtocol {
  uint8_t first_byte = 0;
  double per_second = 0;
  std::function<void(UniqueFd)> take;  // none: there is no such protocol
};

class Listener {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  // Binds and listens. kAlreadyExists when the port is taken. An unspecified address takes both
  // families where the host has both.
  static Result<std::unique_ptr<Listener>> open(const HostPort& listen);
  // A stream socket that is bound already.
  static Result<std::unique_ptr<Listener>> take(UniqueFd bound);
  // A socket at `path`, which must not exist, for its owner and group.
  static Result<std::unique_ptr<Listener>> open_unix(const std::string& path);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Begins to accept. The server must have been started and must outlive stop().
  void start(std::unique_ptr<Acceptor> acceptor, GuestProtocol guest = {});
  void stop();
  uint64_t refused() const { return refused_; }
  // As bound.
  Result<HostPort> address() const;

 private:
  struct Silent {
    UniqueFd fd;
    Instant until;
  };

  static Result<std::unique_ptr<Listener>> make(UniqueFd socket);
  explicit Listener(UniqueFd socket, UniqueFd wake)
      : socket_(std::move(socket)), wake_(std::move(wake)) {}
  void run();
  bool wait(bool for_connections);
  bool accept_one();
  void sort(UniqueFd connection);
  bool give(UniqueFd& connection);
  void give_to_grpc(UniqueFd connection);
  void look_at_silent();

  UniqueFd socket_;
  UniqueFd wake_;  // readable when it is time to end
  std::unique_ptr<Acceptor> acceptor_;
  GuestProtocol guest_;
  RateLimit guest_rate_{0, 0};
  std::deque<Silent> silent_;  // in the order of their ends
  std::vector<pollfd> poll_;   // the wake-up, the listening socket, the silent ones
  std::atomic<uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace shoal
