// History files: one JSON object a line, as load generators write them.
//
//   {"client":7,"op":"create","key":"k","in":"v","out":null,"call":123,"return":456,"ok":true}
//
// op is create, remove, write, read or cas; `in` is what is written, `out` what a read told,
// `expect` what a cas expects, each a string or null (nothing; also when it is left out). call and
// return are ns of one clock; return null or left out: the outcome is unknown. Other members are
// for people. Empty lines count for nothing.
#pragma once

#include <istream>

#include "base/types/result.h"
#include "tests/lin/checker.h"

namespace shoal::lin {

// One line. kInvalidArgument says what is wrong with it.
Result<Operation> parse_operation(std::string_view line);

// Adds a file's operations to `history`. kInvalidArgument names the line.
Status read_history(std::istream& in, History& history);

// As parse_operation() takes it, without the end of the line.
std::string format_operation(const Operation& operation);

}  // namespace shoal::lin
