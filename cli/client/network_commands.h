// What `shoal network` does beyond one call.
#pragma once

#include <string>

#include "cli/client/client.h"
#include "cli/client/network_filter.h"
#include "cli/commands/invocation.h"

namespace shoal::cli {

Result<std::vector<common::Network>> filtered_networks(Client& client,
                                                       const std::vector<std::string>& filters);
// Removes every network that nothing is on and the filters match, after asking (on standard input)
// unless forced; adds what was removed to `out`.
Status prune_networks(Client& client, const NetworkPruneCommand& command, std::string& out);
// Puts the namespace of an endpoint of this host on another network.
Status connect_network(Client& client, const NetworkConnectCommand& command);

}  // namespace shoal::cli
