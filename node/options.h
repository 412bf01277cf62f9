// The command line of shoald, and what its configuration file adds.
#pragma once

#include <optional>
#include <string>

#include "base/runtime/log.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "node/config/config.h"
#include "node/paths.h"

namespace shoal::node {

struct Options {
  Paths paths;
  Config config;            // of the file; flags are not in it
  std::string config_file;  // empty: there is none
  log::Level log_level = log::Level::kInfo;
  bool log_level_given = false;  // by a flag
  Duration shortest_cert_expiry;
};

// info when the file says nothing.
log::Level log_level_of(const Config& config);

// The flags, and the configuration file. Nothing when the answer was given already (--help,
// --version, --check-config: printed, `exit_code` 0), the arguments are wrong (a sentence on
// stderr, `exit_code` 2) or the file is (`exit_code` 1).
std::optional<Options> parse_options(int argc, char** argv, int& exit_code);

}  // namespace shoal::node
