// VniPool: which VXLAN network identifiers are taken, and the next one to draw.
//
// Drawn serially from 4096 (below lie what other VXLAN users of a host pick by hand, and 802.1Q
// ids), around after 2^24-1, so that a removed network's frames meet no successor soon.
#pragma once

#include <map>
#include <string>

#include "base/types/ip.h"
#include "base/types/result.h"
#include "manager/allocator/interval_set.h"

namespace shoal::manager {

inline constexpr uint32_t kFirstDrawnVni = 4096;

class VniPool {
 public:
  void take(Vni vni, std::string network_name);
  void release(Vni vni);

  // The first free one from `from` on, around. kResourceExhausted.
  Result<Vni> draw(Vni from) const;
  // kInvalidArgument (0, or beyond 24 bits), kConflict naming the network that has it.
  Status check(Vni vni) const;
  // Where a search goes on after `vni`.
  static Vni after(Vni vni);

 private:
  IntervalSet taken_;
  std::map<Vni, std::string> owners_;
};

}  // namespace shoal::manager
