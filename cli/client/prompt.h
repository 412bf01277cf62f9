// A secret from the person at the terminal, or from standard input.
#pragma once

#include <string>

#include "base/types/result.h"

namespace shoal::cli {

// One line, without its end. On a terminal `prompt` is shown and what is typed is not.
// kInvalidArgument when there is none.
Result<std::string> read_secret(const std::string& prompt);

}  // namespace shoal::cli
