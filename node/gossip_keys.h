// The gossip keys a node knows, for tools/wireshark and `shoal-state gossip-keys`. Whoever has them
// reads and writes the cluster's gossip until they are rotated out.
#pragma once

#include <string>

#include "base/types/result.h"

namespace shoal::node {

// A line per key: id and 64 hexadecimal digits; the cluster's id before them, behind a #.
// kNotFound: no node's state in `state_dir`, or one that has heard of no keys yet.
Result<std::string> list_gossip_keys(const std::string& state_dir);

}  // namespace shoal::node
