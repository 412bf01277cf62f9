// Looks at a state directory without a daemon, for `shoal-state`: identity, raft log, tables.
// Nothing is written, and secrets (keys, tokens) are not shown.
#pragma once

#include <string>
#include <vector>

#include "base/types/result.h"

namespace shoal::node {

struct Inspection {
  std::string text;                   // lines for people
  std::vector<std::string> problems;  // sentences; empty: all of it is sound
};

// `dump`: each entry of the log and each object too. kNotFound: no state of a node in `state_dir`;
// kConflict: a daemon has it open.
Result<Inspection> inspect_state(const std::string& state_dir, bool dump);

}  // namespace shoal::node
