#include "manager/raft_member_file.h"

#include <sstream>

#include "base/codec/crc32c.h"
#include "base/codec/text.h"
#include "base/runtime/files.h"
#include "base/types/ip.h"

namespace shoal::manager {

std::string raft_member_path(const std::string& state_dir) { return state_dir + "/raft_member"; }

namespace {

constexpr int kVersion = 2;
constexpr std::string_view kChecksum = "crc32c ";

std::string checksum_line(std::string_view text) {
  ByteWriter crc;
  crc.u32(crc32c(as_bytes(text)));
  return std::string(kChecksum) + to_hex(crc.view()) + "\n";
}

// What stands before the checksum, or nothing when that is wrong.
std::string checked(const std::string& file) {
  const size_t at = file.rfind(kChecksum);
  if (at == std::string::npos || file.substr(at) != checksum_line(file.substr(0, at))) return "";
  return file.substr(0, at);
}

}  // namespace

Status write_raft_member(const std::string& state_dir, const RaftMemberFile& file) {
  std::string text = std::to_string(kVersion) + "\n" + std::to_string(file.raft_id) + "\n";
  for (const raft::Member& member : file.members) {
    text += std::to_string(member.id) + " " + member.address + "\n";
  }
  return write_file_atomic(raft_member_path(state_dir), text + checksum_line(text));
}

Result<RaftMemberFile> read_raft_member(const std::string& state_dir) {
  const std::string path = raft_member_path(state_dir);
  std::istringstream in(
      checked(SHOAL_TRY(read_file(path, raft::kMaxMembers * 2 * raft::kMaxAddressBytes))));
  RaftMemberFile file;
  int version = 0;
  in >> version >> file.raft_id;
  if (version > kVersion) {
    return unimplemented("the file " + path + " has version " + std::to_string(version) +
                         ", which is newer than this program (" + std::to_string(kVersion) +
                         "): upgrade it");
  }
  raft::Member member;
  while (in >> member.id >> member.address) {
    if (!HostPort::parse(member.address)) break;
    file.members.push_back(member);
  }
  if (version != kVersion || file.raft_id == 0 || !in.eof()) {
    return data_loss("the file " + path +
                     " is damaged: remove this manager's state and join the cluster again");
  }
  return file;
}

}  // namespace shoal::manager
