#include "node/options.h"

#include <CLI/CLI.hpp>

#include "node/config/load.h"
#include "node/node.h"

namespace shoal::node {
namespace {

constexpr int kUsageExit = 2;
constexpr int kFailureExit = 1;

log::Level level_of(std::string_view name) {
  return name == "debug"   ? log::Level::kDebug
         : name == "warn"  ? log::Level::kWarn
         : name == "error" ? log::Level::kError
                           : log::Level::kInfo;
}

// A flag, and the key of the file that says the same.
struct Both {
  const CLI::Option* flag;
  std::string_view key;
  std::optional<std::string> Config::*member;
  std::string* value;
};

// As Docker's daemon does: which of two were to win is nobody's guess.
Status merge(const Config& config, const std::vector<Both>& all) {
  for (const Both& each : all) {
    const auto& said = config.*each.member;
    if (!said) continue;
    if (each.flag->count() > 0) {
      return invalid_argument(std::string(each.key) +
                              " is given both as a flag and in the configuration file: leave one "
                              "of them out");
    }
    *each.value = *said;
  }
  return ok_status();
}

// `file` empty: the default one, if it is there.
Result<Config> config_of(std::string& file) {
  const bool named = !file.empty();
  if (!named) file = kDefaultConfigFile;
  auto config = load_config(file);
  if (config || named || config.error().code != ErrorClass::kNotFound) return config;
  file.clear();
  return Config();
}

}  // namespace

log::Level log_level_of(const Config& config) { return level_of(config.log_level.value_or("")); }

std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
  Options options;
  CLI::App app("shoald: the daemon that makes this host a node of a Shoal cluster", "shoald");
  std::string level = "info";
  auto* state_dir =
      app.add_option("--state-dir", options.paths.state_dir, "What must survive a reboot")
          ->capture_default_str();
  auto* run_dir =
      app.add_option("--run-dir", options.paths.run_dir, "What need not: namespaces of overlays")
          ->capture_default_str();
  auto* socket =
      app.add_option("--socket", options.paths.socket, "Where `shoal` talks to this daemon");
  auto* resolv_conf = app.add_option("--resolv-conf", options.paths.resolv_conf,
                                     "Resolvers for names outside the cluster")
                          ->capture_default_str();
  app.add_option("--config-file", options.config_file,
                 "TOML, or Docker's daemon.json (a name that ends in .json); default: " +
                     std::string(kDefaultConfigFile) + " if it is there");
  bool check = false;
  app.add_flag("--check-config,--validate", check, "Say what is wrong with the file, and end");
  auto* log_level = app.add_option("--log-level", level, "debug, info, warn or error")
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
  auto config = config_of(options.config_file);
  Paths& paths = options.paths;
  const Status merged =
      !config
          ? Status(config.error())
          : merge(*config, {{state_dir, "state-dir", &Config::state_dir, &paths.state_dir},
                            {run_dir, "run-dir", &Config::run_dir, &paths.run_dir},
                            {socket, "socket", &Config::socket, &paths.socket},
                            {resolv_conf, "resolv-conf", &Config::resolv_conf, &paths.resolv_conf},
                            {log_level, "log-level", &Config::log_level, &level}});
  if (!merged) {
    std::cerr << "shoald: " << merged.error().message << "\n";
    exit_code = kFailureExit;
    return std::nullopt;
  }
  options.config = std::move(*config);
  options.log_level_given = log_level->count() > 0;
  if (check) {
    for (const std::string& note : options.config.notes) std::cout << note << "\n";
    std::cout << (options.config_file.empty() ? "no configuration file: defaults"
                                              : options.config_file + ": configuration OK")
              << "\n";
    exit_code = 0;
    return std::nullopt;
  }
  if (socket->count() == 0 && !options.config.socket)
    options.paths.socket = options.paths.run_dir + "/shoal.sock";
  if (options.paths.state_dir.empty() || options.paths.run_dir.empty()) {
    std::cerr << "shoald: " << state_dir->get_name() << " and --run-dir must not be empty\n";
    exit_code = kUsageExit;
    return std::nullopt;
  }
  options.log_level = level_of(level);
  options.shortest_cert_expiry = std::chrono::seconds(shortest_seconds);
  exit_code = 0;
  return options;
}

}  // namespace shoal::node
