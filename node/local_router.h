// Which calls of control.Cluster are about this host's own networks, and their answers. Translation
// only: worker/local decides. On the strand.
#pragma once

#include <memory>

#include "manager/api/cluster_call.h"
#include "worker/local/local_networks.h"

namespace shoal::node {

// Answers the call and returns true when it names a network, an endpoint or a driver of this host.
bool answer_locally(worker::LocalNetworks& local, bool in_cluster,
                    const std::shared_ptr<manager::ClusterCall>& call);

// A list call: its good answer will have this host's own networks or endpoints too.
void add_local(const worker::LocalNetworks& local, manager::ClusterCall& call);

// Whether the call lists what a host without a cluster has too.
bool is_list(const manager::ClusterCall& call);

}  // namespace shoal::node
