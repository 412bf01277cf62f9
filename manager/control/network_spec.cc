#include "manager/control/network_spec.h"

#include <algorithm>

#include "manager/allocator/subnet_index.h"
#include "manager/rules/rules.h"

namespace shoal::manager::control {
namespace {

constexpr std::string_view kOverlay = "overlay";
// Drivers that Docker's users know and that may come.
constexpr std::string_view kOtherDrivers[] = {"bridge", "host", "ipvlan", "macvlan", "none"};
constexpr std::string_view kDockerOptions = "com.docker.network.";
constexpr std::string_view kEncrypted = "encrypted";

Status check_driver(std::string_view driver) {
  if (driver == kOverlay) return ok_status();
  const auto* end = std::end(kOtherDrivers);
  if (std::find(std::begin(kOtherDrivers), end, driver) != end) {
    return unimplemented("driver \"" + std::string(driver) +
                         "\" is not supported yet: use \"overlay\"");
  }
  return invalid_argument("unknown driver \"" + printable(driver) + "\": use \"overlay\"");
}

Status check_options(std::map<std::string, std::string>& options) {
  const auto encrypted = options.find(std::string(kEncrypted));
  if (encrypted != options.end()) {
    // Docker encrypts whatever the value; here "false" means what it says.
    if (encrypted->second != "false" && encrypted->second != "0") {
      return unimplemented(
          "encrypted networks are not supported yet, and traffic would be in the clear: create the "
          "network without --opt encrypted if that is acceptable");
    }
    options.erase(encrypted);
  }
  for (const auto& [key, value] : options) {
    if (key.starts_with(kDockerOptions)) continue;
    return invalid_argument("unknown option \"" + printable(key) +
                            "\": \"com.docker.network...\" and \"encrypted\" are known");
  }
  return ok_status();
}

}  // namespace

Result<NetworkSpec> normalise(NetworkSpec spec) {
  if (spec.driver.empty()) spec.driver = kOverlay;
  SHOAL_TRY(check_driver(spec.driver));
  SHOAL_TRY(check_options(spec.options));
  if (spec.ingress) {
    return unimplemented("ingress networks are not supported yet: create it without --ingress");
  }
  for (const SubnetSpec& subnet : spec.subnets) {
    if (subnet.subnet && subnet.subnet->ip.is_v6()) spec.ipv6 = true;
  }
  return spec;
}

Result<std::vector<Prefix>> routes_to_avoid(std::span<const HostRoute> routes,
                                            std::span<const Prefix> pools) {
  std::vector<Prefix> result;
  for (const auto& [route, node] : routes) {
    const bool matters =
        route_takes_addresses(route) &&
        std::any_of(pools.begin(), pools.end(),
                    [&, &route = route](const Prefix& pool) { return pool.overlaps(route); });
    if (matters) result.push_back(route.network());
  }
  // By address, the shorter first: what is inside another comes right after it.
  std::sort(result.begin(), result.end());
  size_t kept = 0;
  for (const Prefix& route : result) {
    if (kept == 0 || !result[kept - 1].contains(route)) result[kept++] = route;
  }
  result.resize(kept);
  if (result.size() <= kMaxAvoid) return result;
  return resource_exhausted("the hosts of the cluster have " + std::to_string(result.size()) +
                            " routes inside the address pools, more than the " +
                            std::to_string(kMaxAvoid) +
                            " that can be avoided: give --subnet instead");
}

}  // namespace shoal::manager::control
