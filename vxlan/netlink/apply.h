// Applies ops to the kernel, in order.
#pragma once

#include <string>

#include "vxlan/netlink/namespace.h"
#include "vxlan/netlink/socket.h"
#include "vxlan/plan/op.h"

namespace shoal::vxlan {

// Where ops act. The sockets live in the namespaces beside them; `endpoint*` may be null for a plan
// without endpoint ops.
struct Places {
  NetlinkSocket* host = nullptr;
  NetlinkSocket* overlay = nullptr;
  const NamespaceFd* overlay_space = nullptr;
  NetlinkSocket* endpoint = nullptr;
  const NamespaceFd* endpoint_space = nullptr;
};

// Runs of table entries go in batches. A failed entry does not hold up the other entries; a failed
// link op ends the plan, since what follows builds on it. The error tells all failures; the next
// pass tries again what is missing.
Status apply(const Plan& plan, const Places& places);

// Deletes every link of ours in an overlay namespace at once, so that the VNI is free when it
// returns.
Status delete_marked_links(NetlinkSocket& overlay);

// Deletes the link with that alias, if there is one. True when there was.
Result<bool> delete_link_with_alias(NetlinkSocket& socket, const std::string& alias);

}  // namespace shoal::vxlan
