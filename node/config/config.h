// Config: what a configuration file says, checked. Pure.
//
// Keys are those of Docker's daemon.json where Docker has the thing, and shoald's flags without
// their dashes. A key that is not known, or is not of the dialect, is an error that names the
// nearest one: a mistyped key must not be a default without a word. Docker's keys that are not
// about networks are passed over in a daemon.json, with a note, so that the host's own file can be
// used as it is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types/ip.h"
#include "node/config/document.h"
#include "worker/local/pools.h"

namespace shoal::node {

enum class Dialect { kShoal, kDocker };

inline constexpr size_t kMaxPools = 256;
inline constexpr size_t kMaxUpstreams = 16;

// An absent value was not given.
struct Config {
  // Read at the start only.
  std::optional<std::string> state_dir;
  std::optional<std::string> run_dir;
  std::optional<std::string> socket;
  std::optional<std::string> resolv_conf;
  std::optional<bool> ip_forward;  // false: shoald never turns forwarding on

  // Read again on SIGHUP.
  std::optional<std::string> log_level;  // debug, info, warn, error
  std::optional<std::vector<Ip>> dns;    // upstreams, instead of resolv.conf's
  // For networks made from then on.
  std::optional<std::vector<worker::LocalPool>> default_address_pools;
  std::optional<std::map<std::string, std::map<std::string, std::string>>> default_network_opts;

  std::vector<std::string> notes;  // what was passed over, a sentence each

  friend bool operator==(const Config&, const Config&) = default;
};

// kInvalidArgument: the line, where it is known, the key and what is wrong with it.
Result<Config> interpret(const Table& root, Dialect dialect);

// Keys read at the start only that differ, by name.
std::vector<std::string> fixed_differences(const Config& running, const Config& wanted);

}  // namespace shoal::node
