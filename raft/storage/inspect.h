// Looks at a stored raft log without changing anything, for the offline tool: opens the database
// read-only and goes on after damage, so that all of it is found.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "raft/storage/format.h"

namespace shoal::raft {

struct LogReport {
  HardState hard_state;
  std::optional<format::SnapshotRecord> snapshot;
  format::Offset offset;  // the log begins after it
  Index last = 0;         // of the entries found; the offset when there are none
  size_t entries = 0;
  size_t bytes = 0;                   // of their data
  std::string snapshot_data;          // empty when absent or damaged
  std::vector<std::string> problems;  // sentences
};

// `visit` gets each entry that can be read, in order. kNotFound: no database in `directory`;
// kDataLoss: it cannot be opened at all.
Result<LogReport> inspect_log(const std::string& directory,
                              const std::function<void(const Entry&)>& visit);

}  // namespace shoal::raft
