// ResolvConfFollower: the upstreams of a resolv.conf, read again when the file has changed.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/types/ip.h"
#include "base/types/time.h"

namespace shoal::worker::dns {

class ResolvConfFollower {
 public:
  explicit ResolvConfFollower(std::string path) : path_(std::move(path)) {}

  // The upstreams when the file is new or changed since the last call; looks at most once a second
  // (one stat). A file that is gone or unreadable changes nothing: it is being replaced.
  std::optional<std::vector<HostPort>> poll(Instant now);

 private:
  std::string path_;
  Instant next_look_{};
  struct stat seen_ {};
};

}  // namespace shoal::worker::dns
