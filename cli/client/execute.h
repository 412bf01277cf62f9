// Runs one parsed command against the daemon and gives the text for standard output.
#pragma once

#include <string>

#include "base/types/result.h"
#include "cli/client/client.h"
#include "cli/commands/invocation.h"

namespace shoal::cli {

// Text printed before a failure (several networks removed, the third refused) is kept in `out`.
Status execute(const Invocation& invocation, Client& client, std::string& out);

// The exit code of a refusal (docs/NOMENCLATURE.md).
int exit_code(ErrorClass error_class);

}  // namespace shoal::cli
