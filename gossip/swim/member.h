// What gossip says about a member, in the words other parts use.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/types/id.h"
#include "base/types/ip.h"

namespace shoal::gossip {

enum class MemberState : uint8_t {
  kAlive = 1,
  kSuspect = 2,  // did not answer; its entries stay visible until it is failed
  kFailed = 3,   // kept and probed for ever; its entries are hidden until it returns
  kLeft = 4,     // said good-bye; comes back only by a new start
};

// The word for status output and logs, e.g. "alive".
std::string_view to_string(MemberState state);

struct MemberInfo {
  NodeId id;
  HostPort address;  // what the member advertises
  MemberState state = MemberState::kAlive;

  friend bool operator==(const MemberInfo&, const MemberInfo&) = default;
};

}  // namespace shoal::gossip
