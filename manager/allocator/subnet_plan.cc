#include "manager/allocator/subnet_plan.h"

#include <algorithm>

namespace shoal::manager {
namespace {

bool is_size_request(const SubnetSpec& spec) {
  return !spec.subnet || spec.subnet->ip.is_unspecified();
}

Family family_of(const SubnetSpec& spec) {
  return spec.subnet ? spec.subnet->ip.family() : Family::kV4;
}

std::string family_name(Family family) { return family == Family::kV4 ? "IPv4" : "IPv6"; }

// Network and broadcast addresses exist, and are never given.
bool reserves_first(const Prefix& subnet) { return subnet.ip.is_v6() || subnet.length < 31; }
bool reserves_last(const Prefix& subnet) { return subnet.ip.is_v4() && subnet.length < 31; }

Status check_length(const Prefix& subnet, uint8_t longest_v4) {
  const bool v4 = subnet.ip.is_v4();
  const int shortest = v4 ? kShortestV4 : kShortestV6;
  const int longest = v4 ? longest_v4 : kLongestV6;
  if (subnet.length >= shortest && subnet.length <= longest) return ok_status();
  return invalid_argument("subnet " + subnet.str() + " has a prefix length out of range: /" +
                          std::to_string(shortest) + " to /" + std::to_string(longest) +
                          " are possible here");
}

Status check_inside(const Prefix& subnet, const Ip& ip, const std::string& what) {
  if (!subnet.contains(ip)) {
    return invalid_argument(what + " " + ip.str() + " is not inside subnet " + subnet.str());
  }
  if (reserves_first(subnet) && ip == subnet.first()) {
    return invalid_argument(what + " " + ip.str() + " is the network address of subnet " +
                            subnet.str() + ": take another");
  }
  if (reserves_last(subnet) && ip == subnet.last()) {
    return invalid_argument(what + " " + ip.str() + " is the broadcast address of subnet " +
                            subnet.str() + ": take another");
  }
  return ok_status();
}

Status check_aux_addresses(const SubnetSpec& spec) {
  if (spec.aux_addresses.size() > kMaxAuxAddresses) {
    return invalid_argument("subnet " + spec.subnet->str() + " has " +
                            std::to_string(spec.aux_addresses.size()) +
                            " auxiliary addresses: at most " + std::to_string(kMaxAuxAddresses) +
                            " are possible, take an ip-range to keep more addresses back");
  }
  std::map<Ip, std::string> names;
  if (spec.gateway) names.emplace(*spec.gateway, "the gateway");
  for (const auto& [name, ip] : spec.aux_addresses) {
    SHOAL_TRY(check_inside(*spec.subnet, ip, "auxiliary address \"" + name + "\""));
    const auto [other, added] = names.emplace(ip, "auxiliary address \"" + name + "\"");
    if (!added) {
      return invalid_argument("auxiliary address \"" + name + "\" " + ip.str() + " is also " +
                              other->second + ": give each its own");
    }
  }
  return ok_status();
}

Status check_ip_range(const SubnetSpec& spec) {
  const Prefix& range = *spec.ip_range;
  if (range != range.network()) {
    return invalid_argument("ip-range " + range.str() + " has host bits set: did you mean " +
                            range.network().str() + "?");
  }
  if (!spec.subnet->contains(range)) {
    return invalid_argument("ip-range " + range.str() + " is not inside subnet " +
                            spec.subnet->str());
  }
  return ok_status();
}

Status check_size_request(const SubnetSpec& spec) {
  if (spec.subnet) SHOAL_TRY(check_length(*spec.subnet, kLongestDrawnV4));
  if (spec.gateway || spec.ip_range || !spec.aux_addresses.empty()) {
    return invalid_argument(
        "a gateway, ip-range or auxiliary address needs its subnet: give --subnet too");
  }
  return ok_status();
}

Status check_given(const SubnetSpec& spec) {
  const Prefix& subnet = *spec.subnet;
  if (subnet != subnet.network()) {
    return invalid_argument("subnet " + subnet.str() + " has host bits set: did you mean " +
                            subnet.network().str() + "?");
  }
  SHOAL_TRY(check_length(subnet, kLongestGivenV4));
  const Ip& ip = subnet.ip;
  const bool this_host =
      ip.is_v4() ? ip.bytes()[0] == 0 : ip.is_unspecified();  // RFC 1122, 3.2.1.3
  if (this_host || ip.is_loopback() || ip.is_multicast() || ip.is_link_local()) {
    return invalid_argument("subnet " + subnet.str() +
                            " is for this-host, loopback, multicast or link-local use: take "
                            "another");
  }
  if (spec.gateway) SHOAL_TRY(check_inside(subnet, *spec.gateway, "gateway"));
  if (spec.ip_range) SHOAL_TRY(check_ip_range(spec));
  return check_aux_addresses(spec);
}

// The first usable address that is nobody's.
Result<Ip> default_gateway(const SubnetSpec& spec, const Prefix& subnet) {
  Ip ip = reserves_first(subnet) ? subnet.first().plus(1) : subnet.first();
  const auto is_aux = [&spec](const Ip& candidate) {
    return std::any_of(spec.aux_addresses.begin(), spec.aux_addresses.end(),
                       [&](const auto& aux) { return aux.second == candidate; });
  };
  while (is_aux(ip)) ip = ip.plus(1);
  if (!subnet.contains(ip) || (reserves_last(subnet) && ip == subnet.last())) {
    return invalid_argument("subnet " + subnet.str() +
                            " has no address left for a gateway beside its auxiliary addresses");
  }
  return ip;
}

Result<Subnet> complete(const SubnetSpec& spec, const Prefix& subnet) {
  Subnet result{subnet, {}, spec.ip_range, spec.aux_addresses};
  result.gateway = spec.gateway ? *spec.gateway : SHOAL_TRY(default_gateway(spec, subnet));
  return result;
}

Result<Prefix> draw(Family family, std::optional<uint8_t> length, const Pools& pools,
                    const SubnetIndex& index, std::span<const Prefix> avoid) {
  const uint8_t wanted =
      length.value_or(family == Family::kV4 ? pools.mask_length_v4 : pools.mask_length_v6);
  std::string names;
  for (const Prefix& pool : pools.prefixes) {
    if (pool.ip.family() != family) continue;
    if (const auto subnet = index.first_free(pool, wanted, avoid)) return *subnet;
    names += (names.empty() ? "" : ", ") + pool.str();
  }
  if (names.empty()) {
    return resource_exhausted("the cluster has no " + family_name(family) +
                              " address pool: give --subnet");
  }
  return resource_exhausted("the address pools (" + names + ") have no free /" +
                            std::to_string(wanted) +
                            " beside the cluster's networks and the routes of its hosts: remove "
                            "networks that are not used, or give --subnet");
}

}  // namespace

Prefix default_pool_v4() { return {Ip::v4(std::array<uint8_t, 4>{10, 0, 0, 0}), 8}; }

Prefix random_ula_pool(Rng& rng) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = 0xfd;
  rng.fill(std::span(bytes).subspan(1, 5));
  return {Ip::v6(bytes), 48};
}

Status check_pools(const Pools& pools) {
  if (pools.prefixes.empty() || pools.prefixes.size() > kMaxPools) {
    return invalid_argument("a cluster has 1 to " + std::to_string(kMaxPools) + " address pools");
  }
  for (size_t i = 0; i < pools.prefixes.size(); ++i) {
    const Prefix& pool = pools.prefixes[i];
    SubnetSpec as_subnet;
    as_subnet.subnet = pool;
    if (const Status status = check_given(as_subnet); !status) {
      return status.error().wrap("address pool");
    }
    const bool v4 = pool.ip.is_v4();
    const uint8_t mask = v4 ? pools.mask_length_v4 : pools.mask_length_v6;
    if (mask < pool.length || mask > (v4 ? kLongestDrawnV4 : kLongestV6)) {
      return invalid_argument("address pool " + pool.str() + " cannot be cut in /" +
                              std::to_string(mask) + ": the mask length must be " +
                              std::to_string(pool.length) + " to " +
                              std::to_string(v4 ? kLongestDrawnV4 : kLongestV6));
    }
    for (size_t j = 0; j < i; ++j) {
      if (!pool.overlaps(pools.prefixes[j])) continue;
      return invalid_argument("address pools " + pools.prefixes[j].str() + " and " + pool.str() +
                              " overlap");
    }
  }
  return ok_status();
}

Status check_subnet_specs(const NetworkSpec& spec) {
  if (spec.subnets.size() > kMaxSubnets) {
    return invalid_argument("network \"" + spec.name + "\" asks for " +
                            std::to_string(spec.subnets.size()) + " subnets: at most " +
                            std::to_string(kMaxSubnets) + " are possible");
  }
  for (size_t i = 0; i < spec.subnets.size(); ++i) {
    const SubnetSpec& subnet = spec.subnets[i];
    SHOAL_TRY(is_size_request(subnet) ? check_size_request(subnet) : check_given(subnet));
    for (size_t j = 0; j < i && !is_size_request(subnet); ++j) {
      const SubnetSpec& other = spec.subnets[j];
      if (is_size_request(other) || !other.subnet->overlaps(*subnet.subnet)) continue;
      return invalid_argument("subnets " + other.subnet->str() + " and " + subnet.subnet->str() +
                              " of network \"" + spec.name + "\" overlap");
    }
  }
  return ok_status();
}

bool draws_subnets(const NetworkSpec& spec) {
  const auto given = [&spec](Family family) {
    return std::any_of(spec.subnets.begin(), spec.subnets.end(),
                       [&](const SubnetSpec& subnet) { return family_of(subnet) == family; });
  };
  return std::any_of(spec.subnets.begin(), spec.subnets.end(), is_size_request) ||
         !given(Family::kV4) || (spec.ipv6 && !given(Family::kV6));
}

Status check_overlap_with_routes(const NetworkSpec& spec, std::span<const HostRoute> routes) {
  for (const SubnetSpec& subnet : spec.subnets) {
    if (is_size_request(subnet)) continue;
    for (const auto& [route, node] : routes) {
      if (!route_takes_addresses(route) || !route.overlaps(*subnet.subnet)) continue;
      return conflict("subnet " + subnet.subnet->str() + " overlaps the route " + route.str() +
                      " of node " + node + ": take another, or none to have one drawn");
    }
  }
  return ok_status();
}

Result<std::vector<Subnet>> plan_subnets(const NetworkSpec& spec, const Pools& pools,
                                         const SubnetIndex& index, std::span<const Prefix> avoid) {
  SHOAL_TRY(check_subnet_specs(spec));
  std::vector<SubnetSpec> wanted = spec.subnets;
  const auto has = [&wanted](Family family) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](const SubnetSpec& subnet) { return family_of(subnet) == family; });
  };
  if (!has(Family::kV4)) wanted.insert(wanted.begin(), SubnetSpec{});
  if (spec.ipv6 && !has(Family::kV6)) {
    wanted.emplace_back().subnet = Prefix{Ip::v6({}), pools.mask_length_v6};
  }

  std::vector<Prefix> taken;
  for (const Prefix& prefix : avoid) {
    if (route_takes_addresses(prefix)) taken.push_back(prefix);
  }
  for (const SubnetSpec& subnet : wanted) {
    if (is_size_request(subnet)) continue;
    if (const auto* other = index.overlapping(*subnet.subnet)) {
      return conflict("subnet " + subnet.subnet->str() + " overlaps subnet " + other->subnet.str() +
                      " of network \"" + other->network +
                      "\": take another, or none to have one drawn");
    }
    taken.push_back(*subnet.subnet);
  }
  std::vector<Subnet> result;
  for (const SubnetSpec& subnet : wanted) {
    Prefix prefix;
    if (is_size_request(subnet)) {
      const auto length = subnet.subnet ? std::optional(subnet.subnet->length) : std::nullopt;
      prefix = SHOAL_TRY(draw(family_of(subnet), length, pools, index, taken));
      taken.push_back(prefix);
    } else {
      prefix = *subnet.subnet;
    }
    result.push_back(SHOAL_TRY(complete(subnet, prefix)));
  }
  return result;
}

std::string reserved_as(const Subnet& subnet, const Ip& ip) {
  if (ip == subnet.gateway) return "the gateway";
  if (reserves_first(subnet.prefix) && ip == subnet.prefix.first()) return "the network address";
  if (reserves_last(subnet.prefix) && ip == subnet.prefix.last()) return "the broadcast address";
  for (const auto& [name, address] : subnet.aux_addresses) {
    if (ip == address) return "the auxiliary address \"" + name + "\"";
  }
  return "";
}

}  // namespace shoal::manager
