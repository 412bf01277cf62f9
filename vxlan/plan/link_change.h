// The part of planning that both plans share: what to set on one link.
#pragma once

#include "vxlan/plan/op.h"

namespace shoal::vxlan {

// What differs, without the name and without `up`: a link goes up in an op of its own, after what
// belongs on it. `inet6` is compared only where the kernel has IPv6 on the link.
inline SetLink link_change(const Link& desired, const Link& observed) {
  SetLink change{.name = observed.name, .index = observed.index};
  if (desired.alias != observed.alias) change.alias = desired.alias;
  if (!desired.mac.is_zero() && desired.mac != observed.mac) change.mac = desired.mac;
  if (desired.mtu != observed.mtu) change.mtu = desired.mtu;
  if (desired.port && desired.port != observed.port) change.port = desired.port;
  if (desired.bridge && desired.bridge != observed.bridge) change.bridge = desired.bridge;
  if (desired.inet6 && observed.inet6 && desired.inet6 != observed.inet6) {
    change.inet6 = desired.inet6;
  }
  return change;
}

// What is set on a link just made in the overlay namespace. Its IPv6 behaviour comes from the
// namespace's defaults, which were set when that was made.
inline SetLink whole_change(const Link& desired) {
  SetLink change{.name = desired.name, .alias = desired.alias, .mtu = desired.mtu};
  change.port = desired.port;
  return change;
}

}  // namespace shoal::vxlan
