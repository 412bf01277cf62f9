// shoald: one per host. See node/README.md.
#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/rpc/listener.h"
#include "base/rpc/poll_pulse.h"
#include "base/runtime/files.h"
#include "manager/api/cluster_service.h"
#include "node/config/load.h"
#include "node/local_service.h"
#include "node/options.h"
#include "worker/attach/probe.h"

namespace shoal::node {
namespace {

constexpr char kLog[] = "shoald";
constexpr int kFailureExit = 1;
// What clients of the local socket may have under way: they are root, and may be wrong.
constexpr int kMaxLocalMessageBytes = 4 << 20;
constexpr size_t kLocalMemoryQuota = 64U << 20;
constexpr int kIdleTimeoutMs = 120'000;
constexpr int kHandshakeTimeoutMs = 2'000;
constexpr std::chrono::seconds kShutdownGrace{2};

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// What a host lacks may be loaded later, and until then attaches say what is missing. A capability
// does not come.
Result<Node::Missing> probe() {
  Node::Missing out;
  for (const worker::MissingFeature& feature : worker::probe_features()) {
    if (feature.name.starts_with("cap_")) return permission_denied(feature.sentence);
    log::warn(kLog, "{}", feature.sentence);
    out.names.push_back(feature.name);
    out.sentences.push_back(feature.sentence);
  }
  return out;
}

struct LocalServer {
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<Listener> listener;
};

// The socket of an earlier daemon is in the way; the lock says that no daemon lives.
Result<LocalServer> serve(const std::string& socket, LocalService& local,
                          manager::ClusterService& cluster) {
  SHOAL_TRY(make_directories(directory_of(socket)));
  SHOAL_TRY(remove_file(socket));
  grpc::ServerBuilder builder;
  LocalServer out;
  out.listener = SHOAL_TRY(Listener::open_unix(socket));
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.SetMaxReceiveMessageSize(kMaxLocalMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleTimeoutMs);
  grpc::ResourceQuota quota("local-socket");
  quota.Resize(kLocalMemoryQuota);
  builder.SetResourceQuota(quota);
  builder.RegisterService(&local);
  builder.RegisterService(&cluster);
  out.server = builder.BuildAndStart();
  if (!out.server) return internal_error("cannot serve on " + socket);
  out.listener->start(std::move(acceptor));
  return out;
}

// Each connection, namespace and timer is a descriptor; the usual soft limit of 1024 is for
// programs that select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log::warn(kLog, "the limit of open files cannot be raised to {}", limit.rlim_max);
  }
}

// What strangers send to the ports is counted, not logged: the libraries would write a line for
// each connection that is no TLS and each message that is none, and let anybody fill the disk.
void silence_libraries() {
  setenv("GRPC_VERBOSITY", "NONE", 0);
  google::protobuf::SetLogHandler(nullptr);
}

// Debian builds Abseil with its search for lock cycles on, which costs gRPC a graph look-up for
// each lock it takes.
void end_deadlock_search() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// Blocked in every thread; read by main alone.
sigset_t block_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// A file that is wrong changes nothing.
void reload(const Options& options, Node& node) {
  if (options.config_file.empty()) {
    return log::info(kLog, "SIGHUP: there was no configuration file at the start");
  }
  const Result<Config> config = load_config(options.config_file);
  if (!config) {
    return log::error(kLog, "SIGHUP: nothing is changed: {}", config.error().message);
  }
  if (options.log_level_given && config->log_level) {
    return log::error(kLog, "SIGHUP: nothing is changed: log-level is given as a flag, too");
  }
  for (const std::string& key : fixed_differences(options.config, *config)) {
    log::warn(kLog, "{} has changed: it is read at the start of shoald only", key);
  }
  for (const std::string& note : config->notes) log::info(kLog, "{}", note);
  node.configure(*config);
  if (!options.log_level_given) log::set_level(log_level_of(*config));
  log::info(kLog, "SIGHUP: {} is in effect", options.config_file);
}

// Serves until it is told to stop. The caller says the error: all threads have ended by then, and
// it is the last line of the log.
Status run(const Options& options) {
  const sigset_t signals = block_signals();
  raise_descriptor_limit();
  if (geteuid() != 0) return permission_denied("shoald must be started as root");
  SHOAL_TRY(make_directories(options.paths.state_dir));
  SHOAL_TRY(make_directories(options.paths.run_dir));
  const Result<FileLock> lock = FileLock::acquire(options.paths.lock());
  if (!lock) {
    const bool held = lock.error().code == ErrorClass::kConflict;
    return held ? lock.error().wrap("two daemons on one state directory") : lock.error();
  }
  Node::Missing missing = SHOAL_TRY(probe());
  for (const std::string& note : options.config.notes) log::info(kLog, "{}", note);
  SystemClock clock;
  SystemRng rng;
  const PollPulse pulse;
  Strand strand;
  strand.start("shoal-strand");
  Node node(options.paths, options.config, std::move(missing), options.shortest_cert_expiry, strand,
            clock, rng);
  SHOAL_TRY(node.start());
  LocalService local(node);
  manager::ClusterService cluster(node.cluster(), manager::Door::kLocal);
  LocalServer server = SHOAL_TRY(serve(options.paths.socket, local, cluster));
  log::info(kLog, "version {} listens on {}", SHOAL_VERSION, options.paths.socket);

  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) reload(options, node);
  log::info(kLog, "stopping on {}; what is attached keeps working",
            signal == SIGTERM ? "SIGTERM" : "SIGINT");
  node.stop();
  server.listener->stop();
  server.server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  server.server.reset();
  return remove_file(options.paths.socket);
}

}  // namespace
}  // namespace shoal::node

// Read by jemalloc, which manages this process's memory: half of the time of glibc's, and less
// kept. Each arena keeps what it once held, so the daemon's threads share two; freed pages go back
// to the kernel within half a second.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0";

int main(int argc, char** argv) {
  umask(0077);
  shoal::node::silence_libraries();
  shoal::node::end_deadlock_search();
  int exit_code = 0;
  const auto options = shoal::node::parse_options(argc, argv, exit_code);
  if (!options) return exit_code;
  shoal::log::set_level(options->log_level);
  const shoal::Status ran = shoal::node::run(*options);
  if (ran) return 0;
  std::fprintf(stderr, "shoald: %s\n", ran.error().message.c_str());
  return shoal::node::kFailureExit;
}
