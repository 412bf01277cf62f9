// Listener: accepts connections on the cluster port or the local socket and hands them to gRPC.
//
// gRPC's own listener ends for good when the process runs out of descriptors, which anyone who
// reaches the port could bring about, and takes connections as fast as they come, each with the
// memory of a TLS handshake. This one never ends, leaves descriptors for the rest of the daemon,
// and takes so many connections a second; the others wait in the kernel's queue.
//
// Thread rule: a thread of its own accepts; refused() from any thread.
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/types/ip.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "vxlan/netlink/namespace.h"

namespace shoal::node {

// A connection is refused while the daemon has so many descriptors: enough for thousands of nodes.
inline constexpr int kMaxDescriptors = 8192;
// Of the process's limit this part is left to everything else.
inline constexpr int kReservedShare = 4;
// New connections: the burst of a cluster whose leader changed, and with the time a handshake may
// take (manager_part.cc) a bound on how many are unproved.
inline constexpr double kAcceptsPerSecond = 250;
inline constexpr double kAcceptBurst = 500;

class Listener {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  // Binds and listens. kAlreadyExists when the port is taken. An unspecified address takes both
  // families where the host has both.
  static Result<std::unique_ptr<Listener>> open(const HostPort& listen);
  // A socket at `path`, which must not exist, for its owner and group.
  static Result<std::unique_ptr<Listener>> open_unix(const std::string& path);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Begins to accept. The server must have been started and must outlive stop().
  void start(std::unique_ptr<Acceptor> acceptor);
  void stop();
  uint64_t refused() const { return refused_; }

 private:
  static Result<std::unique_ptr<Listener>> make(vxlan::UniqueFd socket);
  explicit Listener(vxlan::UniqueFd socket, vxlan::UniqueFd wake)
      : socket_(std::move(socket)), wake_(std::move(wake)) {}
  void run();
  bool wait(bool for_connections, int timeout_ms);
  bool accept_one();

  vxlan::UniqueFd socket_;
  vxlan::UniqueFd wake_;  // readable when it is time to end
  std::unique_ptr<Acceptor> acceptor_;
  std::atomic<uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace shoal::node
