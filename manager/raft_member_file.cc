#include "manager/raft_member_file.h"

#include <sstream>

#include "base/runtime/files.h"
#include "base/types/ip.h"

namespace shoal::manager {

std::string raft_member_path(const std::string& state_dir) { return state_dir + "/raft_member"; }

Status write_raft_member(const std::string& state_dir, const RaftMemberFile& file) {
  std::string text = "1\n" + std::to_string(file.raft_id) + "\n";
  for (const raft::Member& member : file.members) {
    text += std::to_string(member.id) + " " + member.address + "\n";
  }
  return write_file_atomic(raft_member_path(state_dir), text);
}

Result<RaftMemberFile> read_raft_member(const std::string& state_dir) {
  const std::string path = raft_member_path(state_dir);
  std::istringstream in(SHOAL_TRY(read_file(path, raft::kMaxMembers * 2 * raft::kMaxAddressBytes)));
  RaftMemberFile file;
  int version = 0;
  in >> version >> file.raft_id;
  raft::Member member;
  while (in >> member.id >> member.address) {
    if (!HostPort::parse(member.address)) break;
    file.members.push_back(member);
  }
  if (version != 1 || file.raft_id == 0 || !in.eof()) {
    return data_loss("the file " + path +
                     " is damaged: remove this manager's state and join the cluster again");
  }
  return file;
}

}  // namespace shoal::manager
