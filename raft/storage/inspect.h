// Looks at a stored raft log without changing anything, for the offline tool: opens the database
// read-only and goes on after damage, so that all of it is found.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/crypto/crypto.h"
#include "raft/storage/format.h"

namespace shoal::raft {

struct LogReport {
  HardState hard_state;
  SnapshotMeta snapshot;  // index 0: none
  Index offset = 0;       // the log begins after it
  Index last = 0;         // its last entry; the offset when there are none
  size_t entries = 0;     // that can be read
  size_t bytes = 0;       // of their data
  // None when it has no file (the tables are the state's only copy), or a damaged one.
  std::shared_ptr<const SnapshotData> snapshot_data;
  std::vector<std::string> problems;  // sentences
};

// `key`: what the store is sealed under. `visit` gets each entry that can be read, in order.
// kNotFound: no database in `directory`; kDataLoss: it cannot be opened at all; kUnimplemented: of
// another format.
Result<LogReport> inspect_log(const std::string& directory, const crypto::Key& key,
                              const std::function<void(const Entry&)>& visit);

}  // namespace shoal::raft
