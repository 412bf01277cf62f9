#include "node/manager_part.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <future>

#include "base/runtime/log.h"
#include "node/host.h"
#include "raft/transport/link.h"

namespace shoal::node {
namespace {

constexpr int kMaxMessageBytes = 16 << 20;
constexpr int kStreamWindowBytes = 1 << 20;
// Pings of clients (manager/security/credentials.cc) come every 6 s; they are not abuse.
constexpr int kMinPingIntervalMs = 1'000;
// What the cluster port may hold for messages under way.
constexpr size_t kMemoryQuota = 64U << 20;
// Whoever connects and says nothing holds memory and a descriptor; a handshake takes milliseconds.
constexpr int kHandshakeTimeoutMs = 5'000;
// Sessions are calls under way, and never idle.
constexpr int kIdleTimeoutMs = 120'000;
constexpr std::chrono::seconds kShutdownGrace{2};
// From managers, a few at a time; each costs the strand a handshake, of a millisecond at most.
constexpr double kRaftLinksPerSecond = 100;

}  // namespace

Result<std::unique_ptr<ManagerPart>> ManagerPart::open(const Identity& identity, const Paths& paths,
                                                       const std::string& unlock_key,
                                                       Strand& strand, Clock& clock, Rng& rng) {
  SHOAL_TRY(check_port_free(identity.listen, true, false, "cluster"));
  manager::ManagerConfig config;
  config.state_dir = paths.manager_dir();
  config.self = identity.node;
  config.cluster = identity.cluster;
  config.control_address = identity.advertise;
  config.identity = identity_files(paths.state_dir);
  config.unlock_key = unlock_key;
  std::unique_ptr<ManagerPart> part(
      new ManagerPart(SHOAL_TRY(manager::Manager::open(config, strand, clock, rng)), strand));
  SHOAL_TRY(part->serve(identity.listen, config.identity));
  return part;
}

Status ManagerPart::serve(const HostPort& listen, const manager::IdentityFiles& files) {
  grpc::ServerBuilder builder;
  listener_ = SHOAL_TRY(Listener::open(listen));
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      manager::server_credentials(files));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  // As the clients' (manager/security/credentials.cc).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);  // counts every call, for nobody
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleTimeoutMs);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  grpc::ResourceQuota quota("cluster-port");
  quota.Resize(kMemoryQuota);
  builder.SetResourceQuota(quota);
  for (grpc::Service* service : manager_->cluster_port_services()) {
    builder.RegisterService(service);
  }
  server_ = builder.BuildAndStart();
  if (!server_) return internal_error("the cluster port " + listen.str() + " cannot be served");
  listener_->start(std::move(acceptor),
                   {.first_byte = static_cast<uint8_t>(raft::kPreface.front()),
                    .per_second = kRaftLinksPerSecond,
                    .take = [this](UniqueFd link) { manager_->take_raft_link(std::move(link)); }});
  return ok_status();
}

ManagerPart::~ManagerPart() {
  strand_.call([this] { manager_->stop(); });
  if (listener_) listener_->stop();
  if (server_) server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  server_.reset();
  manager_.reset();
}

Status ManagerPart::await(std::function<void(manager::Manager::Done)> work,
                          std::chrono::milliseconds timeout, const char* what,
                          const std::stop_token& stop) {
  auto answer = std::make_shared<std::promise<Status>>();
  std::future<Status> answered = answer->get_future();
  strand_.post([answer, work = std::move(work)] {
    work([answer](Status status) { answer->set_value(std::move(status)); });
  });
  // A manager that stops answers whatever it is asked.
  const std::stop_callback end(stop, [this] { strand_.post([this] { manager_->stop(); }); });
  if (answered.wait_for(timeout) == std::future_status::ready) return answered.get();
  return deadline_exceeded(std::string(what) + " took more than " +
                           std::to_string(timeout.count() / 1000) + " s");
}

Status ManagerPart::bootstrap(manager::InitCluster init, std::chrono::milliseconds timeout,
                              const std::stop_token& stop) {
  return await([this, init = std::move(init)](
                   manager::Manager::Done done) { manager_->bootstrap(init, std::move(done)); },
               timeout, "making the cluster", stop);
}

Status ManagerPart::join(std::vector<HostPort> managers, std::chrono::milliseconds timeout,
                         const std::stop_token& stop) {
  return await(
      [this, managers = std::move(managers), timeout](manager::Manager::Done done) {
        manager_->join(managers, timeout, std::move(done));
      },
      timeout + std::chrono::seconds(5), "joining the managers", stop);
}

Status ManagerPart::resume() {
  return strand_.call([this] { return manager_->resume(); });
}

Status ManagerPart::require_no_quorum(std::chrono::milliseconds timeout,
                                      const std::stop_token& stop) {
  return await(
      [this](manager::Manager::Done done) { manager_->require_no_quorum(std::move(done)); },
      timeout, "asking whether the managers have their quorum", stop);
}

Status ManagerPart::refound(std::optional<manager::Restoration> from,
                            std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return await([this, from = std::move(from)](
                   manager::Manager::Done done) { manager_->refound(from, std::move(done)); },
               timeout, "founding the cluster anew", stop);
}

Status ManagerPart::leave(std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return await(
      [this, timeout](manager::Manager::Done done) {
        manager_->leave_and_stop(timeout, std::move(done));
      },
      timeout + std::chrono::seconds(2), "leaving the managers", stop);
}

}  // namespace shoal::node
