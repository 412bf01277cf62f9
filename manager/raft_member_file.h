// The file "raft_member" of a manager's state directory: which member of the raft group this node
// is, and the members it knew when it joined. Its presence says that the state beside it counts.
//
//   "2\n" RAFT_ID "\n" { MEMBER_ID " " HOST:PORT "\n" } "crc32c " HEX "\n"
//
// The checksum is of all before its line.
#pragma once

#include <string>
#include <vector>

#include "base/types/result.h"
#include "raft/types.h"

namespace shoal::manager {

struct RaftMemberFile {
  uint64_t raft_id = 0;
  std::vector<raft::Member> members;
};

std::string raft_member_path(const std::string& state_dir);
Status write_raft_member(const std::string& state_dir, const RaftMemberFile& file);
// kNotFound when absent; kDataLoss when it cannot be read; kUnimplemented when of a newer version.
Result<RaftMemberFile> read_raft_member(const std::string& state_dir);

}  // namespace shoal::manager
