// The line format of data-driven raft tests: a directive and its arguments, `word`, `key=value` or
// `key=(value,value)`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"

namespace shoal::raft::script {

struct Argument {
  std::string key;  // the whole word when it has no value
  std::vector<std::string> values;

  friend bool operator==(const Argument&, const Argument&) = default;
};

struct Directive {
  std::string name;
  std::vector<Argument> arguments;
};

// kInvalidArgument: an open bracket, or no name.
Result<Directive> parse_directive(std::string_view line);
// kInvalidArgument: not a number, or above `max`.
Result<uint64_t> parse_number(std::string_view text, uint64_t max);
Result<bool> parse_bool(std::string_view text);

}  // namespace shoal::raft::script
