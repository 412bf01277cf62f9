#include "worker/dns/server/resolv_conf_follower.h"

#include "base/runtime/files.h"
#include "worker/dns/policy/resolv_conf.h"

namespace shoal::worker::dns {
namespace {

constexpr Duration kLookInterval = std::chrono::seconds(1);
constexpr size_t kMaxFileSize = size_t{64} << 10;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

std::optional<std::vector<HostPort>> ResolvConfFollower::poll(Instant now) {
  if (now < next_look_) return std::nullopt;
  next_look_ = now + kLookInterval;
  struct stat current {};
  if (stat(path_.c_str(), &current) != 0 || same_file(current, seen_)) return std::nullopt;
  const Result<std::string> text = read_file(path_, kMaxFileSize);
  if (!text) return std::nullopt;
  seen_ = current;
  return upstreams_of_resolv_conf(*text);
}

}  // namespace shoal::worker::dns
