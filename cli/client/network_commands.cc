#include "cli/client/network_commands.h"

#include <iostream>

namespace shoal::cli {
namespace {

using control::Cluster;
using control::Local;

bool confirmed() {
  std::cerr << "WARNING! This will remove all networks that no endpoint is on.\n"
               "Are you sure you want to continue? [y/N] "
            << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Result<std::vector<common::Network>> filtered_networks(Client& client,
                                                       const std::vector<std::string>& filters) {
  const NetworkFilter filter = SHOAL_TRY(NetworkFilter::parse(filters));
  const auto response =
      SHOAL_TRY(client.call(&Cluster::Stub::ListNetworks, control::ListNetworksRequest()));
  std::vector<common::Network> out;
  for (const auto& network : response.networks()) {
    if (filter.matches(network)) out.push_back(network);
  }
  return out;
}

Status prune_networks(Client& client, const NetworkPruneCommand& command, std::string& out) {
  const auto networks = SHOAL_TRY(filtered_networks(client, command.filters));
  if (!command.force && !confirmed()) return ok_status();
  std::string removed;
  for (const auto& network : networks) {
    if (network.spec().ingress()) continue;
    control::RemoveNetworkRequest request;
    request.set_network(network.id());
    const auto done = client.call(&Cluster::Stub::RemoveNetwork, request);
    if (done.ok()) {
      removed += network.spec().name() + "\n";
    } else if (done.error().code != ErrorClass::kConflict &&
               done.error().code != ErrorClass::kNotFound) {
      // In use is no error here, nor is somebody else's being quicker.
      if (!removed.empty()) out += "Deleted Networks:\n" + removed;
      return done.error();
    }
  }
  if (!removed.empty()) out += "Deleted Networks:\n" + removed;
  return ok_status();
}

Status connect_network(Client& client, const NetworkConnectCommand& command) {
  control::AttachRequest request;
  request.set_network(command.network);
  request.set_netns("endpoint:" + command.endpoint);
  request.set_ifname(command.ifname);
  auto* spec = request.mutable_spec();
  for (const auto& alias : command.aliases) spec->add_aliases(alias);
  if (!command.ip.empty()) spec->add_addresses(command.ip);
  if (!command.ip6.empty()) spec->add_addresses(command.ip6);
  SHOAL_TRY(client.call(&Local::Stub::Attach, request));
  return ok_status();
}

}  // namespace shoal::cli
