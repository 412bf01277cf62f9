#include "manager/allocator/subnet_index.h"

#include <algorithm>
#include <iterator>

#include "base/types/check.h"

namespace shoal::manager {

const IntervalSet& SubnetIndex::taken(Family family) const {
  return family == Family::kV4 ? taken_v4_ : taken_v6_;
}

void SubnetIndex::add(const Prefix& subnet, std::string network) {
  SHOAL_CHECK(!overlapping(subnet), "subnets of a cluster never overlap");
  auto& taken = subnet.ip.is_v4() ? taken_v4_ : taken_v6_;
  taken.insert(subnet.first().number(), subnet.last().number());
  owners_.emplace(subnet.first(), Owner{subnet, std::move(network)});
}

void SubnetIndex::remove(const Prefix& subnet) {
  auto& taken = subnet.ip.is_v4() ? taken_v4_ : taken_v6_;
  taken.erase(subnet.first().number(), subnet.last().number());
  owners_.erase(subnet.first());
}

const SubnetIndex::Owner* SubnetIndex::overlapping(const Prefix& prefix) const {
  auto it = owners_.upper_bound(prefix.first());
  if (it != owners_.begin() && std::prev(it)->second.subnet.overlaps(prefix)) {
    return &std::prev(it)->second;
  }
  if (it == owners_.end() || !it->second.subnet.overlaps(prefix)) return nullptr;
  return &it->second;
}

std::optional<Prefix> SubnetIndex::first_free(const Prefix& pool, uint8_t length,
                                              std::span<const Prefix> avoid) const {
  using Number = IntervalSet::Number;
  const Family family = pool.ip.family();
  IntervalSet avoided;
  for (const Prefix& prefix : avoid) {
    if (prefix.ip.family() == family) {
      avoided.insert(prefix.first().number(), prefix.last().number());
    }
  }
  if (length < pool.length || length > pool.ip.bits()) return std::nullopt;
  const Number pool_last = pool.last().number();
  // One less than the size, which for a whole family does not fit.
  const Number span = Prefix{pool.first(), length}.last().number() - pool.first().number();
  for (Number first = pool.first().number();;) {
    const auto hit = taken(family).overlapping(first, first + span);
    const auto hit_avoided = avoided.overlapping(first, first + span);
    if (!hit && !hit_avoided) return Prefix{Ip::from_number(family, first), length};
    const Number blocked = std::max(hit ? hit->last : 0, hit_avoided ? hit_avoided->last : 0);
    // The subnet that holds the last blocked address is no candidate; the one after it is next.
    const Number candidate_last = blocked | span;
    if (candidate_last >= pool_last) return std::nullopt;
    first = candidate_last + 1;
  }
}

}  // namespace shoal::manager
