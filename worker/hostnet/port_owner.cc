#include "worker/hostnet/port_owner.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/runtime/files.h"

namespace shoal::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCommSize = 64;  // the kernel's names have 15 bytes

// "00000000:1F90": an address in hexadecimal, a colon, the port.
bool is_port(const std::string& local, uint16_t port) {
  const size_t colon = local.find(':');
  if (colon == std::string::npos) return false;
  uint32_t number = 0;
  const char* const end = local.data() + local.size();
  const auto [stop, code] = std::from_chars(local.data() + colon + 1, end, number, 16);
  return code == std::errc() && stop == end && number == port;
}

// Inodes of the sockets that have the port, by /proc/net/tcp and its like: sl, local, remote,
// state, queues, timer, retransmits, uid, timeout, inode.
void add_inodes(const std::string& file, uint16_t port, std::set<std::string>& out) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);  // the titles
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string field;
    std::string local;
    for (int i = 0; i < 10 && fields >> field; ++i) {
      if (i == 1) local = field;
    }
    if (field != "0" && is_port(local, port)) out.insert("socket:[" + field + "]");
  }
}

bool has_socket(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator at(process / "fd", error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unreadable;
    if (sockets.contains(fs::read_symlink(at->path(), unreadable).string())) return true;
  }
  return false;
}

}  // namespace

std::string find_port_owner(PortProtocol protocol, const Ip& ip, uint16_t port) {
  if (protocol == PortProtocol::kSctp) return {};
  const std::string base = "/proc/thread-self/net/" + std::string(to_string(protocol));
  std::set<std::string> sockets;
  if (ip.is_v4()) add_inodes(base, port, sockets);
  add_inodes(base + "6", port, sockets);
  if (sockets.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string pid = at->path().filename().string();
    if (pid.find_first_not_of("0123456789") != pid.npos || !has_socket(at->path(), sockets)) {
      continue;
    }
    const Result<std::string> comm = read_file(at->path() / "comm", kCommSize);
    std::string name = comm ? *comm : "a process";
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return name + " (pid " + pid + ")";
  }
  return {};
}

}  // namespace shoal::worker
