#include "worker/hostnet/forwarding.h"

#include <filesystem>

#include "base/runtime/files.h"
#include "base/runtime/log.h"

namespace shoal::worker {
namespace {

constexpr size_t kSysctlSize = 64;  // a number
constexpr char kConf[] = "/proc/sys/net/ipv6/conf";

Result<bool> is_on(const vxlan::NamespaceFd& host, const std::string& key) {
  bool on = false;
  SHOAL_TRY(vxlan::run_in_namespace(host, [&]() -> Status {
    const Result<std::string> value = read_file("/proc/sys/" + key, kSysctlSize);
    // A kernel without that family forwards none of it.
    if (!value && value.error().code == ErrorClass::kNotFound) return ok_status();
    if (!value) return value.error();
    on = !value->empty() && value->front() != '0';
    return ok_status();
  }));
  return on;
}

Status keep_routers() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kConf, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "all" || name == "default") continue;
    const Result<std::string> value = read_file(entry.path() / "accept_ra", kSysctlSize);
    if (!value || *value != "1\n") continue;
    SHOAL_TRY(vxlan::write_sysctl("net/ipv6/conf/" + name + "/accept_ra", "2", true));
  }
  return ok_status();
}

}  // namespace

Forwarding::Forwarding(std::string run_dir, Family family, bool allowed)
    : family_(family),
      key_(family == Family::kV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"),
      allowed_(allowed),
      marker_(run_dir + (family == Family::kV4 ? "/forwards-ipv4" : "/forwards-ipv6")) {
  std::error_code error;
  ours_ = std::filesystem::exists(marker_, error);
}

Status Forwarding::decide(const vxlan::NamespaceFd& host, bool needed) {
  on_ = SHOAL_TRY(is_on(host, key_));
  needed_ = needed && allowed_;
  if (needed && !allowed_ && (!on_ || ours_)) {
    return unavailable(std::string("this host does not forward ") +
                       (family_ == Family::kV4 ? "IPv4" : "IPv6") +
                       " and shoald is configured not to change that (ip-forward = false): "
                       "endpoints of bridges reach nothing beyond this host");
  }
  if (!needed_ || on_ || ours_) return ok_status();
  SHOAL_TRY(write_file_atomic(marker_, "", 0600, Outlives::kProcess));
  ours_ = true;
  return ok_status();
}

Status Forwarding::turn_off(const vxlan::NamespaceFd& host) {
  if (needed_ || !ours_) return ok_status();
  SHOAL_TRY(vxlan::run_in_namespace(host, [&] { return vxlan::write_sysctl(key_, "0", true); }));
  on_ = false;
  ours_ = false;
  return remove_file(marker_);
}

Status Forwarding::turn_on(const vxlan::NamespaceFd& host) {
  if (!needed_ || on_) return ok_status();
  SHOAL_TRY(vxlan::run_in_namespace(host, [&]() -> Status {
    if (family_ == Family::kV6) SHOAL_TRY(keep_routers());
    return vxlan::write_sysctl(key_, "1", true);
  }));
  log::info("host_plane", "this host forwards {} from and to its bridges now",
            family_ == Family::kV4 ? "IPv4" : "IPv6");
  on_ = true;
  return ok_status();
}

}  // namespace shoal::worker
