// Texts of raft values, in the words and forms of published data-driven raft tests, so that their
// listings can be compared with ours line by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "raft/core/core.h"

namespace shoal::raft::script {

std::string_view role_name(Role role);
std::string_view message_name(MessageType type);
std::string describe(const Entry& entry);                         // 1/11 EntryNormal "x"
std::string describe_entries(const std::vector<Entry>& entries);  // one a line
std::string describe(const HardState& hard);                      // Term:1 Vote:1 Commit:11
std::string describe(const SnapshotMeta& meta);                   // Index:4 Term:1 ConfState:...
std::string describe(const Message& message);                     // 1->2 MsgApp Term:1 Log:1/10 ...
std::string describe(const Progress& progress, bool learner, bool active);
std::string indent(std::string_view text);  // two blanks before every line

}  // namespace shoal::raft::script
