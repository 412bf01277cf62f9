#include "node/inspect_local.h"

#include <filesystem>

#include "worker/local/adapters.h"
#include "worker/local/book.h"

namespace shoal::node {
namespace {

std::string network_text(const manager::Network& network) {
  std::string text = network.id.str() + " \"" + network.spec.name + "\", " + network.spec.driver;
  for (const manager::Subnet& subnet : network.subnets) text += ", " + subnet.prefix.str();
  return text;
}

std::string endpoint_text(const worker::Attachment& attachment) {
  const manager::Endpoint& endpoint = attachment.endpoint;
  std::string text = endpoint.id.str() + " \"" + endpoint.spec.name + "\" on network \"" +
                     attachment.network_name + "\"";
  for (const Prefix& address : endpoint.addresses) text += ", " + address.str();
  const bool attached = attachment.phase == worker::Attachment::Phase::kAttached;
  return text + (attached ? "" : ": to be undone at the next start");
}

}  // namespace

bool has_local_state(const std::string& state_dir) {
  std::error_code error;
  return std::filesystem::exists(state_dir + "/local_networks", error);
}

void inspect_local(const std::string& state_dir, bool dump, Inspection& out) {
  const auto loaded = worker::LocalDirectory::load(state_dir);
  if (!loaded) {
    out.problems.push_back(loaded.error().message);
    return;
  }
  const auto& networks = loaded->networks.networks;
  const auto& endpoints = loaded->endpoints;
  out.text += "networks of this host alone: " + std::to_string(networks.size()) +
              ", endpoints: " + std::to_string(endpoints.size()) + "\n";
  for (const manager::Network& network : networks) {
    if (dump) out.text += "  " + network_text(network) + "\n";
  }
  worker::Book book({});
  for (const manager::Network& network : networks) {
    if (const Status sound = book.restore(network); !sound) {
      out.problems.push_back(sound.error().message);
    }
  }
  for (const auto& [id, attachment] : endpoints) {
    if (dump) out.text += "  " + endpoint_text(attachment) + "\n";
    if (attachment.phase != worker::Attachment::Phase::kAttached) continue;
    if (const Status sound = book.restore(attachment.endpoint); !sound) {
      out.problems.push_back(sound.error().message);
    }
  }
}

}  // namespace shoal::node
