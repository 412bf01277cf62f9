// Where subnets of this host's own networks come from when none are asked for. Pure.
#pragma once

#include <span>
#include <vector>

#include "base/ports/ports.h"
#include "base/types/ip.h"
#include "base/types/result.h"
#include "manager/allocator/subnet_index.h"
#include "manager/model/objects.h"

namespace shoal::worker {

// A pool is cut in subnets of `length` bits.
struct LocalPool {
  Prefix base;
  uint8_t length = 0;

  friend bool operator==(const LocalPool&, const LocalPool&) = default;
};

// Docker's default-address-pools, 31 networks: 172.17.0.0/16 to 172.31.0.0/16, then
// 192.168.0.0/16 in /20.
std::vector<LocalPool> default_local_pools();
// fdXX:XXXX:XXXX::/48 with 40 random bits (RFC 4193), in /64: drawn once for a host.
LocalPool random_local_pool_v6(Rng& rng);

// `spec` with every subnet named: those not asked for (an IPv4 one, and an IPv6 one with
// `spec.ipv6`) and those asked for by size are the first of the pools that overlap neither a
// network of `index`, nor each other, nor `avoid`. kResourceExhausted.
Result<manager::NetworkSpec> draw_subnets(manager::NetworkSpec spec,
                                          std::span<const LocalPool> pools,
                                          const manager::SubnetIndex& index,
                                          std::span<const Prefix> avoid);

}  // namespace shoal::worker
