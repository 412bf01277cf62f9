// Looks at a state directory without a daemon, for `shoal-state`: identity, raft log, tables,
// networks of the host alone.
// Nothing is written, and secrets (keys, tokens) are not shown.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/types/result.h"

namespace shoal::node {

struct Inspection {
  std::string text;                   // lines for people
  std::vector<std::string> problems;  // sentences; empty: all of it is sound
};

// Gives the unlock key ("SWMKEY-1-...") of a manager's state that is locked (autolock).
using AskKey = std::function<Result<std::string>()>;

// `dump`: each entry of the log and each object too. `ask` is called at most once. kNotFound: no
// state of a node in `state_dir`; kConflict: a daemon has it open; kInvalidArgument: not the unlock
// key; the errors of `ask`.
Result<Inspection> inspect_state(const std::string& state_dir, bool dump, const AskKey& ask);

}  // namespace shoal::node
