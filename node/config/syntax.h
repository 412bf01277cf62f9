// The two syntaxes of a configuration file: TOML, and Docker's daemon.json.
#pragma once

#include <string_view>

#include "base/types/result.h"
#include "node/config/document.h"

namespace shoal::node {

// Larger files are nobody's configuration.
inline constexpr size_t kMaxConfigBytes = 1U << 20;

// The table at the root. kInvalidArgument: the place and what is wrong there. Dates and times have
// no place in this configuration and are refused; so is what is nested deeper than 32.
Result<Table> parse_toml(std::string_view text);
Result<Table> parse_json(std::string_view text);

}  // namespace shoal::node
