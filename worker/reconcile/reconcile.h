// reconcile(): WorkerState -> what the kernel should hold. A pure function.
//
// An overlay is materialised only where this host has an endpoint on it. What cannot be is left out
// and told as a problem; the rest is not held up by it.
#pragma once

#include <map>
#include <vector>

#include "base/types/error.h"
#include "vxlan/model/model.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

// The smallest MTU an IPv6 interface may have (RFC 8200, section 5), and IPv4's (RFC 791).
inline constexpr uint32_t kMinMtuV6 = 1280;
inline constexpr uint32_t kMinMtuV4 = 576;

struct Reconciled {
  std::vector<vxlan::DesiredOverlay> overlays;  // in the order of network ids
  std::map<EndpointId, Error> endpoint_errors;  // these endpoints are not in `overlays`
  std::vector<Error> problems;                  // remote endpoints that were left out, and why
};

// `path_mtu`: of the link that holds the data-path address; used when the state gives none.
Reconciled reconcile(const WorkerState& state, uint32_t path_mtu);

// The MTU of an overlay's interfaces, given the underlay's.
uint32_t overlay_mtu(uint32_t underlay_mtu, const Ip& data_path_address);

}  // namespace shoal::worker
