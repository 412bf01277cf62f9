// What this host lacks for the data plane, found by trying in a throw-away namespace.
#pragma once

#include <string>
#include <vector>

namespace shoal::worker {

struct MissingFeature {
  std::string name;      // "vxlan", "bridge", "veth", "netns", "nftables", "cap_net_admin", ...
  std::string sentence;  // for a person: what is missing and what to do
};

// Empty when everything is there. Takes some tens of milliseconds; any thread.
std::vector<MissingFeature> probe_features();

}  // namespace shoal::worker
