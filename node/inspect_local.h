// What `shoal-state` says of the networks that a host has for itself.
#pragma once

#include <string>

#include "node/inspect.h"

namespace shoal::node {

// Whether there are any files of theirs.
bool has_local_state(const std::string& state_dir);
// Adds lines (with `dump` one for each object) and problems to `out`.
void inspect_local(const std::string& state_dir, bool dump, Inspection& out);

}  // namespace shoal::node
