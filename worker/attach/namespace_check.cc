#include "worker/attach/namespace_check.h"

#include <fstream>
#include <sstream>

#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/socket.h"

namespace shoal::worker {
namespace {

// IFNAMSIZ with its terminating zero is 16.
constexpr size_t kMaxIfname = 15;
// Of /proc/<pid>/stat, counted after the command's closing parenthesis: state is field 3.
constexpr int kStartTimeAfterCommand = 22 - 3;

// 0 when there is no such process (any more).
uint64_t start_time_of(int32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  // The command may hold spaces and parentheses; it ends at the last one.
  const size_t command_end = line.rfind(')');
  if (command_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(command_end + 1));
  std::string skipped;
  for (int i = 0; i < kStartTimeAfterCommand; ++i) fields >> skipped;
  uint64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

Status check_process(const NamespaceRef& ref) {
  const uint64_t started = start_time_of(ref.pid);
  if (started == 0) {
    const std::string number = std::to_string(ref.pid);
    return not_found(ref.pid_start_time == 0 ? "no process " + number
                                             : "process " + number + " ended");
  }
  if (ref.pid_start_time != 0 && ref.pid_start_time != started) {
    return not_found("process " + std::to_string(ref.pid) +
                     " ended: another process has its number now");
  }
  return ok_status();
}

Status check_ifname(const std::string& ifname) {
  if (ifname.empty()) return ok_status();
  const bool printable = ifname.find_first_of(" /:\t\n%") == std::string::npos;
  if (ifname.size() > kMaxIfname || !printable || ifname == "." || ifname == "..") {
    return invalid_argument("\"" + ifname.substr(0, 64) + "\" cannot be an interface name: 1 to " +
                            std::to_string(kMaxIfname) +
                            " characters without space, '/', ':' and '%'");
  }
  return ok_status();
}

bool differs(const NamespaceRef& ref, const vxlan::NamespaceIdentity& now) {
  return ref.inode != 0 && (ref.inode != now.inode || ref.device != now.device);
}

std::string subject(const NamespaceRef& ref) {
  return ref.path.empty() ? "process " + std::to_string(ref.pid) : ref.path;
}

Error not_the_same(const NamespaceRef& ref) {
  return not_found(ref.path.empty()
                       ? "process " + std::to_string(ref.pid) + " moved to another namespace"
                       : ref.path + " leads to another network namespace now");
}

}  // namespace

Result<OpenedNamespace> open_namespace(const NamespaceRef& ref) {
  OpenedNamespace opened;
  opened.ref = ref;
  if (!ref.path.empty()) {
    Result<vxlan::NamespaceFd> fd = vxlan::NamespaceFd::open(ref.path);
    if (!fd && fd.error().code == ErrorClass::kNotFound) {
      return not_found("there is no namespace at " + ref.path);
    }
    opened.fd = SHOAL_TRY(std::move(fd));
  } else if (ref.pid > 0) {
    SHOAL_TRY(check_process(ref));
    opened.fd = SHOAL_TRY(vxlan::NamespaceFd::open_pid(ref.pid));
    opened.ref.pid_start_time = start_time_of(ref.pid);
    // Asked again after opening: the process may have ended and its number been reused meanwhile.
    SHOAL_TRY(check_process(opened.ref));
  } else {
    return invalid_argument("name a network namespace by path or by process id");
  }
  if (differs(ref, opened.fd.identity())) return not_the_same(ref);
  opened.ref.device = opened.fd.identity().device;
  opened.ref.inode = opened.fd.identity().inode;
  return opened;
}

Result<NamespaceRef> check_namespace(const vxlan::NamespaceFd& host, const NamespaceRef& ref,
                                     const std::string& ifname) {
  SHOAL_TRY(check_ifname(ifname));
  const OpenedNamespace opened = SHOAL_TRY(open_namespace(ref));
  const auto own = SHOAL_TRY(vxlan::NamespaceFd::open_own());
  if (opened.fd.identity() == host.identity() || opened.fd.identity() == own.identity()) {
    return invalid_argument(subject(ref) +
                            " is in this host's own network namespace: endpoints need one of their "
                            "own (unshare --net, ip netns add)");
  }
  if (ifname.empty()) return opened.ref;
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(opened.fd));
  const Result<vxlan::Link> taken = vxlan::get_link(socket, ifname);
  if (taken.ok()) {
    return already_exists("interface " + ifname +
                          " already exists in that namespace: choose another with --ifname");
  }
  if (taken.error().code != ErrorClass::kNotFound) return taken.error();
  return opened.ref;
}

Status still_there(const NamespaceRef& ref) {
  if (ref.path.empty()) {
    SHOAL_TRY(check_process(ref));
    const auto now = vxlan::identify("/proc/" + std::to_string(ref.pid) + "/ns/net");
    if (!now) return not_found("process " + std::to_string(ref.pid) + " ended");
    return differs(ref, *now) ? Status(not_the_same(ref)) : ok_status();
  }
  const auto now = vxlan::identify(ref.path);
  if (!now) {
    if (now.error().code != ErrorClass::kNotFound) return now.error();
    return not_found("there is no namespace at " + ref.path + " any more");
  }
  return differs(ref, *now) ? Status(not_the_same(ref)) : ok_status();
}

}  // namespace shoal::worker
