#include "node/config/config.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/codec/nearest.h"
#include "worker/drivers/bridge_options.h"

namespace shoal::node {
namespace {

constexpr size_t kToldText = 64;  // of what the file says, in a message

std::string told(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kToldText)) out += c >= ' ' && c != '"' && c < 0x7f ? c : '?';
  return out + "\"";
}

Error wrong(const Value& value, std::string_view key, std::string_view what) {
  const std::string where = value.line == 0 ? "" : "line " + std::to_string(value.line) + ": ";
  return invalid_argument(where + std::string(key) + ": " + std::string(what));
}

template <typename T>
Result<T> as(const Value& value, std::string_view key, std::string_view kind) {
  if (const T* held = std::get_if<T>(&value.held)) return *held;
  return wrong(value, key, "must be " + std::string(kind));
}

Result<std::string> path_of(const Value& value, std::string_view key) {
  auto path = SHOAL_TRY(as<std::string>(value, key, "a string"));
  if (path.empty() || path.front() != '/') return wrong(value, key, "must be an absolute path");
  if (path.find('\0') != std::string::npos) return wrong(value, key, "must not hold a zero byte");
  return path;
}

Result<std::string> level_of(const Value& value, std::string_view key) {
  constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
  auto level = SHOAL_TRY(as<std::string>(value, key, "a string"));
  if (std::find(kLevels.begin(), kLevels.end(), level) != kLevels.end()) return level;
  return wrong(value, key, told(level) + " is none of debug, info, warn, error");
}

Result<std::vector<Ip>> upstreams_of(const Value& value, std::string_view key) {
  const List list = SHOAL_TRY(as<List>(value, key, "a list of addresses"));
  if (list.size() > kMaxUpstreams) {
    return wrong(value, key, "at most " + std::to_string(kMaxUpstreams) + " resolvers are asked");
  }
  std::vector<Ip> out;
  for (const Value& each : list) {
    const auto text = SHOAL_TRY(as<std::string>(each, key, "a list of addresses"));
    const Result<Ip> ip = Ip::parse(text);
    if (!ip) return wrong(each, key, told(text) + " is no IP address");
    if (ip->is_unspecified()) return wrong(each, key, told(text) + " is no address of a resolver");
    out.push_back(*ip);
  }
  return out;
}

Result<worker::LocalPool> pool_of(const Value& value, std::string_view key) {
  const Table table = SHOAL_TRY(as<Table>(value, key, "a list of {base, size}"));
  for (const auto& [name, part] : table) {
    if (name != "base" && name != "size") {
      return wrong(part, key, "a pool has a base and a size, and no " + told(name));
    }
  }
  const auto base = table.find("base");
  const auto size = table.find("size");
  if (base == table.end() || size == table.end()) {
    return wrong(value, key, "a pool needs a base (as \"172.30.0.0/16\") and a size (as 24)");
  }
  const auto text = SHOAL_TRY(as<std::string>(base->second, key, "a base that is a string"));
  const Result<Prefix> prefix = Prefix::parse(text);
  if (!prefix) return wrong(base->second, key, told(text) + " is no subnet");
  if (*prefix != prefix->network()) {
    return wrong(base->second, key,
                 told(text) + " has host bits set: " + prefix->network().str() + " is the subnet");
  }
  const auto length = SHOAL_TRY(as<int64_t>(size->second, key, "a size that is a number"));
  // Beside the gateway, the network's own address and broadcast there is one for an endpoint.
  const int64_t longest = prefix->ip.bits() - 2;
  if (length < prefix->length || length > longest) {
    return wrong(size->second, key,
                 "the size of " + prefix->str() + " must be from " +
                     std::to_string(prefix->length) + " to " + std::to_string(longest));
  }
  return worker::LocalPool{*prefix, static_cast<uint8_t>(length)};
}

Result<std::vector<worker::LocalPool>> pools_of(const Value& value, std::string_view key) {
  const List list = SHOAL_TRY(as<List>(value, key, "a list of {base, size}"));
  if (list.size() > kMaxPools) {
    return wrong(value, key, "at most " + std::to_string(kMaxPools) + " pools");
  }
  std::vector<worker::LocalPool> out;
  for (const Value& each : list) {
    const worker::LocalPool pool = SHOAL_TRY(pool_of(each, key));
    for (const worker::LocalPool& other : out) {
      if (!other.base.overlaps(pool.base)) continue;
      return wrong(each, key, pool.base.str() + " overlaps " + other.base.str());
    }
    out.push_back(pool);
  }
  return out;
}

using NetworkOptions = std::map<std::string, std::map<std::string, std::string>>;

Result<NetworkOptions> network_options_of(const Value& value, std::string_view key) {
  const Table drivers = SHOAL_TRY(as<Table>(value, key, "a table of drivers"));
  NetworkOptions out;
  for (const auto& [driver, given] : drivers) {
    if (driver != "bridge") {
      return wrong(given, key,
                   "networks of driver " + told(driver) +
                       " have no default options: "
                       "those of bridge have");
    }
    auto& options = out[driver];
    for (const auto& [name, option] :
         SHOAL_TRY(as<Table>(given, key, "a table of options for " + driver))) {
      options[name] = SHOAL_TRY(
          as<std::string>(option, key, "strings for the options of " + driver + ", as with -o"));
    }
    const auto parsed = worker::parse_bridge_options(options);
    if (!parsed) return wrong(given, key, parsed.error().message);
  }
  return out;
}

struct Key {
  std::string_view name;
  bool docker = false;  // whether a daemon.json may hold it
  std::function<Status(const Value&, std::string_view, Config&)> take;
};

template <typename T>
Key key(std::string_view name, bool docker, std::optional<T> Config::*member,
        Result<T> (*read)(const Value&, std::string_view)) {
  return {name, docker, [member, read](const Value& value, std::string_view said, Config& out) {
            auto taken = read(value, said);
            if (!taken) return Status(taken.error());
            out.*member = std::move(*taken);
            return ok_status();
          }};
}

Result<bool> flag_of(const Value& value, std::string_view name) {
  return as<bool>(value, name, "true or false");
}

const std::vector<Key>& keys() {
  static const std::vector<Key> all = {
      key("state-dir", false, &Config::state_dir, path_of),
      key("run-dir", false, &Config::run_dir, path_of),
      key("socket", false, &Config::socket, path_of),
      key("resolv-conf", false, &Config::resolv_conf, path_of),
      key("ip-forward", true, &Config::ip_forward, flag_of),
      key("log-level", true, &Config::log_level, level_of),
      key("dns", true, &Config::dns, upstreams_of),
      key("default-address-pools", true, &Config::default_address_pools, pools_of),
      key("default-network-opts", true, &Config::default_network_opts, network_options_of),
  };
  return all;
}

// Docker's keys (its documentation of dockerd, version 27) that say nothing about networks.
constexpr std::array<std::string_view, 56> kOtherThanNetworks = {"add-runtime",
                                                                 "allow-nondistributable-artifacts",
                                                                 "api-cors-header",
                                                                 "authorization-plugins",
                                                                 "builder",
                                                                 "cgroup-parent",
                                                                 "containerd",
                                                                 "containerd-namespace",
                                                                 "containerd-plugin-namespace",
                                                                 "cpu-rt-period",
                                                                 "cpu-rt-runtime",
                                                                 "data-root",
                                                                 "debug",
                                                                 "default-cgroupns-mode",
                                                                 "default-ipc-mode",
                                                                 "default-runtime",
                                                                 "default-shm-size",
                                                                 "default-ulimits",
                                                                 "exec-opts",
                                                                 "exec-root",
                                                                 "experimental",
                                                                 "features",
                                                                 "group",
                                                                 "hosts",
                                                                 "http-proxy",
                                                                 "https-proxy",
                                                                 "init",
                                                                 "init-path",
                                                                 "insecure-registries",
                                                                 "labels",
                                                                 "live-restore",
                                                                 "log-driver",
                                                                 "log-format",
                                                                 "log-opts",
                                                                 "max-concurrent-downloads",
                                                                 "max-concurrent-uploads",
                                                                 "max-download-attempts",
                                                                 "metrics-addr",
                                                                 "no-new-privileges",
                                                                 "no-proxy",
                                                                 "node-generic-resources",
                                                                 "oom-score-adjust",
                                                                 "pidfile",
                                                                 "proxies",
                                                                 "raw-logs",
                                                                 "registry-mirrors",
                                                                 "runtimes",
                                                                 "seccomp-profile",
                                                                 "selinux-enabled",
                                                                 "shutdown-timeout",
                                                                 "storage-driver",
                                                                 "storage-opts",
                                                                 "tls",
                                                                 "tlscacert",
                                                                 "tlsverify",
                                                                 "userns-remap"};

Error unknown(const Value& value, std::string_view name, Dialect dialect) {
  std::vector<std::string_view> names;
  for (const Key& key : keys()) {
    if (dialect == Dialect::kShoal || key.docker) names.push_back(key.name);
  }
  const std::string_view close = nearest(name, names);
  return wrong(value, told(name), "unknown key; " + told(close) + " is the nearest that is known");
}

}  // namespace

Result<Config> interpret(const Table& root, Dialect dialect) {
  Config out;
  for (const auto& [name, value] : root) {
    const auto known = std::find_if(keys().begin(), keys().end(),
                                    [&name = name](const Key& key) { return key.name == name; });
    if (known != keys().end() && (dialect == Dialect::kShoal || known->docker)) {
      SHOAL_TRY(known->take(value, name, out));
    } else if (dialect == Dialect::kDocker &&
               std::find(kOtherThanNetworks.begin(), kOtherThanNetworks.end(), name) !=
                   kOtherThanNetworks.end()) {
      out.notes.push_back(name + " says nothing about networks and is passed over");
    } else {
      return unknown(value, name, dialect);
    }
  }
  return out;
}

std::vector<std::string> fixed_differences(const Config& running, const Config& wanted) {
  std::vector<std::string> out;
  if (running.state_dir != wanted.state_dir) out.emplace_back("state-dir");
  if (running.run_dir != wanted.run_dir) out.emplace_back("run-dir");
  if (running.socket != wanted.socket) out.emplace_back("socket");
  if (running.resolv_conf != wanted.resolv_conf) out.emplace_back("resolv-conf");
  if (running.ip_forward != wanted.ip_forward) out.emplace_back("ip-forward");
  return out;
}

}  // namespace shoal::node
