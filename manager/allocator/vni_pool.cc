#include "manager/allocator/vni_pool.h"

#include "base/types/check.h"

namespace shoal::manager {

void VniPool::take(Vni vni, std::string network_name) {
  const bool added = owners_.emplace(vni, std::move(network_name)).second;
  SHOAL_CHECK(added, "a VNI has one owner");
  taken_.insert(vni.value);
}

void VniPool::release(Vni vni) {
  owners_.erase(vni);
  taken_.erase(vni.value);
}

Result<Vni> VniPool::draw(Vni from) const {
  const uint32_t start =
      from.value < kFirstDrawnVni || from.value > Vni::kMax ? kFirstDrawnVni : from.value;
  auto free = taken_.next_missing(start, Vni::kMax);
  if (!free) free = taken_.next_missing(kFirstDrawnVni, Vni::kMax);
  if (!free) {
    return resource_exhausted("all VXLAN ids from 4096 to 16777215 are taken: remove networks");
  }
  return Vni{static_cast<uint32_t>(*free)};
}

Status VniPool::check(Vni vni) const {
  if (vni.value == 0 || vni.value > Vni::kMax) {
    return invalid_argument("VXLAN id " + std::to_string(vni.value) +
                            " is out of range: 1 to 16777215 are possible");
  }
  const auto owner = owners_.find(vni);
  if (owner != owners_.end()) {
    return conflict("VXLAN id " + std::to_string(vni.value) + " is taken by network \"" +
                    owner->second + "\": name another, or none to have one drawn");
  }
  return ok_status();
}

Vni VniPool::after(Vni vni) {
  return vni.value >= Vni::kMax ? Vni{kFirstDrawnVni} : Vni{vni.value + 1};
}

}  // namespace shoal::manager
