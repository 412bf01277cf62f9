// SubnetIndex: every network's subnets, and the next free one of a pool.
//
// Subnets of a cluster never overlap one another: a host can then route between its overlays, and
// an address names one endpoint. All operations are O(log subnets) but for the gaps too small or
// misaligned that a draw steps over.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/types/ip.h"
#include "manager/allocator/interval_set.h"

namespace shoal::manager {

// Shorter subnets are typing errors: they would swallow every other network's addresses.
inline constexpr uint8_t kShortestV4 = 8;
inline constexpr uint8_t kShortestV6 = 16;

// Shorter routes are default routes, also in disguise (0.0.0.0/1 of a VPN, 2000::/3): they say
// nothing about which addresses are in use.
inline bool route_takes_addresses(const Prefix& route) {
  return route.length >= (route.ip.is_v4() ? kShortestV4 : kShortestV6);
}

class SubnetIndex {
 public:
  struct Owner {
    Prefix subnet;
    std::string network;  // name
  };

  // `subnet` has its host bits clear and overlaps none.
  void add(const Prefix& subnet, std::string network);
  void remove(const Prefix& subnet);

  // The lowest subnet that overlaps, or null.
  const Owner* overlapping(const Prefix& prefix) const;

  // The lowest subnet of `length` bits in `pool` that overlaps neither a known subnet nor `avoid`.
  std::optional<Prefix> first_free(const Prefix& pool, uint8_t length,
                                   std::span<const Prefix> avoid) const;

 private:
  const IntervalSet& taken(Family family) const;

  std::map<Ip, Owner> owners_;  // by first address
  IntervalSet taken_v4_;
  IntervalSet taken_v6_;
};

}  // namespace shoal::manager
