#include "worker/local/pools.h"

#include <algorithm>

namespace shoal::worker {
namespace {

Ip v4(uint8_t a, uint8_t b) { return Ip::v4({a, b, 0, 0}); }

bool is_of(const manager::SubnetSpec& subnet, Family family) {
  return (subnet.subnet ? subnet.subnet->ip.family() : Family::kV4) == family;
}

Result<Prefix> draw(Family family, std::optional<uint8_t> length, std::span<const LocalPool> pools,
                    const manager::SubnetIndex& index, std::span<const Prefix> taken) {
  std::string names;
  for (const LocalPool& pool : pools) {
    if (pool.base.ip.family() != family) continue;
    const uint8_t wanted = length.value_or(pool.length);
    if (wanted < pool.base.length) continue;
    if (const auto subnet = index.first_free(pool.base, wanted, taken)) return *subnet;
    names += (names.empty() ? "" : ", ") + pool.base.str();
  }
  const std::string what = family == Family::kV4 ? "IPv4" : "IPv6";
  if (names.empty()) {
    return resource_exhausted("this host has no " + what + " address pool for that: give --subnet");
  }
  return resource_exhausted("the " + what + " address pools of this host (" + names +
                            ") have no free subnet beside its networks and routes: remove "
                            "networks that are not used, or give --subnet");
}

}  // namespace

std::vector<LocalPool> default_local_pools() {
  return {{{v4(172, 17), 16}, 16}, {{v4(172, 18), 16}, 16}, {{v4(172, 19), 16}, 16},
          {{v4(172, 20), 14}, 16}, {{v4(172, 24), 14}, 16}, {{v4(172, 28), 14}, 16},
          {{v4(192, 168), 16}, 20}};
}

LocalPool random_local_pool_v6(Rng& rng) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = 0xfd;
  rng.fill(std::span(bytes).subspan(1, 5));
  return {{Ip::v6(bytes), 48}, 64};
}

Result<manager::NetworkSpec> draw_subnets(manager::NetworkSpec spec,
                                          std::span<const LocalPool> pools,
                                          const manager::SubnetIndex& index,
                                          std::span<const Prefix> avoid) {
  const auto has = [&spec](Family family) {
    return std::any_of(spec.subnets.begin(), spec.subnets.end(),
                       [&](const manager::SubnetSpec& subnet) { return is_of(subnet, family); });
  };
  if (!has(Family::kV4)) spec.subnets.emplace(spec.subnets.begin());
  const bool add_v6 = spec.ipv6 && !has(Family::kV6);
  std::vector<Prefix> taken;
  for (const Prefix& prefix : avoid) {
    if (manager::route_takes_addresses(prefix)) taken.push_back(prefix);
  }
  for (const manager::SubnetSpec& subnet : spec.subnets) {
    if (subnet.subnet && !subnet.subnet->ip.is_unspecified()) taken.push_back(*subnet.subnet);
  }
  const auto fill = [&](manager::SubnetSpec& subnet, Family family) -> Status {
    std::optional<uint8_t> length;
    if (subnet.subnet) length = subnet.subnet->length;
    subnet.subnet = SHOAL_TRY(draw(family, length, pools, index, taken));
    taken.push_back(*subnet.subnet);
    return ok_status();
  };
  for (manager::SubnetSpec& subnet : spec.subnets) {
    if (subnet.subnet && !subnet.subnet->ip.is_unspecified()) continue;
    SHOAL_TRY(fill(subnet, is_of(subnet, Family::kV4) ? Family::kV4 : Family::kV6));
  }
  if (add_v6) SHOAL_TRY(fill(spec.subnets.emplace_back(), Family::kV6));
  return spec;
}

}  // namespace shoal::worker
