// What a network's spec becomes before it is proposed: defaults filled, features that are not there
// refused, host routes reduced to what matters.
#pragma once

#include <span>
#include <vector>

#include "base/types/result.h"
#include "manager/allocator/subnet_plan.h"
#include "manager/model/objects.h"

namespace shoal::manager::control {

// Host routes that one command carries, after those inside others are dropped: 4096 of 20 bytes fit
// well into a raft entry, and no site has as many disjoint ones inside its overlays' pools.
inline constexpr size_t kMaxAvoid = 4096;

// kUnimplemented (drivers, `encrypted`, ingress), kInvalidArgument (an unknown driver or option).
Result<NetworkSpec> normalise(NetworkSpec spec);

// Of the routes those that overlap a pool, each once, without default routes and without those
// inside others, sorted. kResourceExhausted beyond kMaxAvoid.
Result<std::vector<Prefix>> routes_to_avoid(std::span<const HostRoute> routes,
                                            std::span<const Prefix> pools);

}  // namespace shoal::manager::control
