// A secret from the person at the terminal, from standard input, or from a file.
#pragma once

#include <string>

#include "base/types/result.h"

namespace shoal {

// One line, without its end. `file` names where it is; empty: standard input, and on a terminal
// `prompt` is shown and what is typed is not. kInvalidArgument when there is none; kNotFound,
// kPermissionDenied for the file.
Result<std::string> read_secret(const std::string& prompt, const std::string& file = "");

}  // namespace shoal
