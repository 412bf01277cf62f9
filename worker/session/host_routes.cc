#include "worker/session/host_routes.h"

#include <algorithm>

#include "manager/model/objects.h"

namespace shoal::worker {
namespace {

bool is_told(const Prefix& route) {
  const Ip& ip = route.ip;
  return route.length > 1 && !ip.is_loopback() && !ip.is_link_local() && !ip.is_multicast();
}

}  // namespace

std::vector<Prefix> told_routes(std::vector<Prefix> destinations) {
  std::vector<Prefix> result;
  for (const Prefix& destination : destinations) {
    if (is_told(destination)) result.push_back(destination.network());
  }
  // By address, the shorter first: what is inside another comes right after it.
  std::sort(result.begin(), result.end());
  size_t kept = 0;
  for (const Prefix& route : result) {
    if (kept == 0 || !result[kept - 1].contains(route)) result[kept++] = route;
  }
  result.resize(kept);
  if (kept <= manager::kMaxHostRoutes) return result;
  std::stable_sort(result.begin(), result.end(), [](const Prefix& a, const Prefix& b) {
    return a.ip.bits() - a.length > b.ip.bits() - b.length;
  });
  result.resize(manager::kMaxHostRoutes);
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace shoal::worker
