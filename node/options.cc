#include "node/options.h"

#include <CLI/CLI.hpp>

#include "node/node.h"

namespace shoal::node {
namespace {

constexpr int kUsageExit = 2;

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
  Options options;
  CLI::App app("shoald: the daemon that makes this host a node of a Shoal cluster", "shoald");
  std::string level = "info";
  auto* state_dir =
      app.add_option("--state-dir", options.paths.state_dir, "What must survive a reboot")
          ->capture_default_str();
  app.add_option("--run-dir", options.paths.run_dir, "What need not: namespaces of overlays")
      ->capture_default_str();
  auto* socket =
      app.add_option("--socket", options.paths.socket, "Where `shoal` talks to this daemon");
  app.add_option("--resolv-conf", options.paths.resolv_conf,
                 "Resolvers for names outside the cluster")
      ->capture_default_str();
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  // To see renewals within minutes: an environment variable, so that nobody sets it by accident.
  int64_t shortest_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(Node::kShortestCertExpiry).count();
  app.add_option("--shortest-cert-expiry", shortest_seconds)
      ->envname("SHOAL_SHORTEST_CERT_EXPIRY")
      ->check(CLI::PositiveNumber)
      ->group("");
  app.set_version_flag("--version", "shoald " SHOAL_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      exit_code = app.exit(error);
      return std::nullopt;
    }
    std::cerr << "shoald: " << error.what() << "\nRun 'shoald --help' for usage.\n";
    exit_code = kUsageExit;
    return std::nullopt;
  }
  if (socket->count() == 0) options.paths.socket = options.paths.run_dir + "/shoal.sock";
  if (options.paths.state_dir.empty() || options.paths.run_dir.empty()) {
    std::cerr << "shoald: " << state_dir->get_name() << " and --run-dir must not be empty\n";
    exit_code = kUsageExit;
    return std::nullopt;
  }
  options.log_level = level == "debug"   ? log::Level::kDebug
                      : level == "warn"  ? log::Level::kWarn
                      : level == "error" ? log::Level::kError
                                         : log::Level::kInfo;
  options.shortest_cert_expiry = std::chrono::seconds(shortest_seconds);
  exit_code = 0;
  return options;
}

}  // namespace shoal::node
