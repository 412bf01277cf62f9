// What is asked when a namespace is put on a network, and what is answered: the same for overlays
// and for this host's own networks.
#pragma once

#include <cstdint>
#include <string>

#include "base/types/time.h"
#include "manager/model/objects.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

struct AttachRequest {
  std::string network;  // name, id, or unique prefix of an id
  NamespaceRef space;
  manager::EndpointSpec spec;
  std::string ifname;  // empty: the first free ethN
  // When the caller stops waiting: it should have been told by then why it is not attached.
  Instant deadline = Instant::max();
};

struct Attached {
  manager::Endpoint endpoint;
  std::string ifname;
  uint32_t mtu = 0;
};

}  // namespace shoal::worker
