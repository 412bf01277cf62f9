// Where a manager's state lies in its directory, and under which keys of its data key
// (security/data_key.h): for the manager and for the tool that looks at it offline.
#pragma once

#include <string>
#include <string_view>

namespace shoal::manager {

// Each store has a key of its own, so that a record of one never opens in another.
inline constexpr std::string_view kRaftKey = "raft log";
inline constexpr std::string_view kTablesKey = "tables";

inline std::string raft_path(const std::string& state_dir) { return state_dir + "/raft"; }
inline std::string tables_path(const std::string& state_dir) { return state_dir + "/tables"; }
inline std::string key_path(const std::string& state_dir) { return state_dir + "/data_key"; }

}  // namespace shoal::manager
