// What subnets a network gets: those its spec names, checked, and those drawn from the pools.
//
// An IPv4 subnet is always there (drawn when none is asked for), an IPv6 one when asked for by
// `ipv6` or by a subnet. In a subnet the gateway is the first usable address unless given. In IPv4
// the network and broadcast addresses are never given but in a /31 (RFC 3021), where both are
// usable; in IPv6 the subnet-router anycast address (RFC 4291, 2.6.1) is never given.
#pragma once

#include <span>
#include <vector>

#include "base/ports/ports.h"
#include "base/types/ip.h"
#include "base/types/result.h"
#include "manager/allocator/subnet_index.h"
#include "manager/model/objects.h"

namespace shoal::manager {

// Docker's bound is none; sixteen bridge ports' worth of subnets is beyond any use seen.
inline constexpr size_t kMaxSubnets = 16;
inline constexpr size_t kMaxAuxAddresses = 256;  // a list written by hand
// The longest prefix drawn from a pool leaves room for a gateway and one endpoint beside the
// addresses never given; asked for by hand an IPv4 /31 does too, as with Docker.
inline constexpr uint8_t kLongestDrawnV4 = 30;
inline constexpr uint8_t kLongestGivenV4 = 31;
inline constexpr uint8_t kLongestV6 = 126;
inline constexpr uint8_t kDefaultMaskLengthV4 = 24;
inline constexpr uint8_t kDefaultMaskLengthV6 = 64;
inline constexpr size_t kMaxPools = 64;  // a list written by hand, walked for each drawn subnet

struct Pools {
  std::vector<Prefix> prefixes;  // both families, drawn from in this order
  uint8_t mask_length_v4 = kDefaultMaskLengthV4;
  uint8_t mask_length_v6 = kDefaultMaskLengthV6;
};

// What the networking of a node's host uses.
struct HostRoute {
  Prefix prefix;
  std::string node;  // its name, for people
};

// 10.0.0.0/8, and fdXX:XXXX:XXXX::/48 with 40 random bits (RFC 4193).
Prefix default_pool_v4();
Prefix random_ula_pool(Rng& rng);

// kInvalidArgument: host bits, overlap, family without pool, a mask the pools cannot be cut by.
Status check_pools(const Pools& pools);

// Everything that can be said of the subnets asked for without knowing other networks.
Status check_subnet_specs(const NetworkSpec& spec);

// Whether any of its subnets comes from the pools.
bool draws_subnets(const NetworkSpec& spec);

// The first overlap of a subnet asked for with a route: kConflict naming both and the node. Default
// routes are ignored.
Status check_overlap_with_routes(const NetworkSpec& spec, std::span<const HostRoute> routes);

// kInvalidArgument as check_subnet_specs, kConflict (overlap, naming the network and its subnet),
// kResourceExhausted (no free subnet in the pools).
Result<std::vector<Subnet>> plan_subnets(const NetworkSpec& spec, const Pools& pools,
                                         const SubnetIndex& index, std::span<const Prefix> avoid);

// Whether the address may never be given to an endpoint, and why: "the gateway", "the network
// address", "the broadcast address", "the auxiliary address \"dns\""; empty when it may.
std::string reserved_as(const Subnet& subnet, const Ip& ip);

}  // namespace shoal::manager
