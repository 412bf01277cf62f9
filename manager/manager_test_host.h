// A host for the manager's integration tests: identity, strand, Manager, both gRPC servers, on
// loopback.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "base/rpc/listener.h"
#include "base/runtime/files.h"
#include "base/runtime/strand.h"
#include "base/runtime/system_ports.h"
#include "manager/api/cluster_service.h"
#include "manager/manager.h"
#include "manager/security/x509.h"
#include "proto/ca.grpc.pb.h"
#include "proto/dispatch.grpc.pb.h"
#include "raft/transport/link.h"

namespace shoal::manager::test {

// A loopback port that stays ours until the test ends: who listens binds it too (SO_REUSEPORT), and
// a socket that does not listen takes no connections.
class Port {
 public:
  Port() : held_(bound(0)) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(held_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    address_ = {Ip::v4(INADDR_LOOPBACK), ntohs(address.sin_port)};
  }
  const HostPort& address() const { return address_; }
  UniqueFd bind_again() const { return bound(address_.port); }

 private:
  static UniqueFd bound(uint16_t port) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    return fd;
  }

  UniqueFd held_;
  HostPort address_;
};

// Waits for a condition, 20 s at most.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

inline void set_deadline(grpc::ClientContext& context, int seconds = 20) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

struct Host {
  explicit Host(const std::string& base, const std::string& name) : dir(base + "/" + name) {
    std::filesystem::create_directories(dir);
    files = {dir + "/crt", dir + "/key", dir + "/root"};
  }
  ~Host() { stop(); }

  void write_identity(const std::string& certificate, const std::string& key,
                      const std::string& root) {
    ASSERT_TRUE(write_file_atomic(files.private_key, key).ok());
    ASSERT_TRUE(write_file_atomic(files.certificate, certificate).ok());
    ASSERT_TRUE(write_file_atomic(files.root_certificate, root).ok());
  }

  void open() {
    strand = std::make_unique<Strand>();
    strand->start("manager");
    ManagerConfig config{dir + "/manager", id, cluster, port.address(), files};
    auto opened = Manager::open(config, *strand, clock, rng);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    manager = std::move(*opened);
    grpc::ServerBuilder builder;
    // Channels ping every two seconds; a server calls that abuse unless told otherwise.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        server_credentials(files));
    for (grpc::Service* service : manager->cluster_port_services()) {
      builder.RegisterService(service);
    }
    server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);
    auto listening = Listener::take(port.bind_again());
    ASSERT_TRUE(listening.ok()) << listening.error().message;
    listener = std::move(*listening);
    listener->start(std::move(acceptor),
                    {.first_byte = static_cast<uint8_t>(raft::kPreface.front()),
                     .per_second = 1000,
                     .take = [this](UniqueFd link) { manager->take_raft_link(std::move(link)); }});
    local_service = std::make_unique<ClusterService>(manager->local_cluster(), Door::kLocal);
    grpc::ServerBuilder local;
    local.AddListeningPort("unix:" + dir + "/s", grpc::InsecureServerCredentials());
    local.RegisterService(local_service.get());
    local_server = local.BuildAndStart();
    ASSERT_NE(local_server, nullptr);
    stub = shoal::control::Cluster::NewStub(
        grpc::CreateChannel("unix:" + dir + "/s", grpc::InsecureChannelCredentials()));
  }

  Status wait_for(const std::function<void(Manager::Done)>& start) {
    std::promise<Status> promise;
    strand->post([&] { start([&](const Status& status) { promise.set_value(status); }); });
    return promise.get_future().get();
  }
  ManagerStatus status() {
    return strand->call([this] { return manager->status(); });
  }

  void stop() {
    if (!manager) return;
    strand->call([this] { manager->stop(); });
    stub.reset();
    const auto now = std::chrono::system_clock::now();
    listener->stop();
    local_server->Shutdown(now);
    server->Shutdown(now);
    listener.reset();
    local_server.reset();
    server.reset();
    manager.reset();
    local_service.reset();
    strand->stop();
  }

  std::string dir;
  IdentityFiles files;
  NodeId id;
  ClusterId cluster;
  Port port;
  SystemClock clock;
  SystemRng rng;
  std::unique_ptr<Strand> strand;
  std::unique_ptr<Manager> manager;
  std::unique_ptr<ClusterService> local_service;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<grpc::Server> local_server;
  std::unique_ptr<shoal::control::Cluster::Stub> stub;
};

}  // namespace shoal::manager::test
