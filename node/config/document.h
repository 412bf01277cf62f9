// Document: what a configuration file holds, whichever its syntax. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace shoal::node {

struct Value;
using List = std::vector<Value>;
using Table = std::map<std::string, Value, std::less<>>;

// `line` from 1, where the syntax's reader tells it; 0 where it does not.
struct Value {
  std::variant<bool, int64_t, double, std::string, List, Table> held;
  uint32_t line = 0;
};

}  // namespace shoal::node
