// Endpoints and their published ports, between what is kept of them and what is done with it. Pure.
#pragma once

#include <string>
#include <vector>

#include "manager/model/objects.h"
#include "vxlan/filter/ports_table.h"
#include "worker/publish/publish.h"
#include "worker/state/attachments.h"

namespace shoal::worker {

PublishGround ground_of(const manager::Network& network, const Ip& default_ip,
                        const manager::Endpoint& endpoint);
// "web of network front": whose port it is, for refusals.
std::string owner_text(const std::string& endpoint, const std::string& network);
std::string owner_text(const Attachment& attachment);
// What is unreadable is left out: it was ours to write.
std::vector<PortBinding> bindings_of(const manager::Endpoint& endpoint);
// Where [::1] leads; of IPv4: nowhere.
Ip relayed_to(const manager::Endpoint& endpoint);
std::vector<vxlan::PortForward> forwards_of(const manager::Endpoint& endpoint);

}  // namespace shoal::worker
