// The command line of shoald.
#pragma once

#include <optional>
#include <string>

#include "base/runtime/log.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "node/paths.h"

namespace shoal::node {

struct Options {
  Paths paths;
  log::Level log_level = log::Level::kInfo;
  Duration shortest_cert_expiry;
};

// Nothing when the answer was given already (--help, --version: printed, `exit_code` 0) or the
// arguments are wrong (a sentence on stderr, `exit_code` 2).
std::optional<Options> parse_options(int argc, char** argv, int& exit_code);

}  // namespace shoal::node
