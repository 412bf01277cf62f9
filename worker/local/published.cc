#include "worker/local/published.h"

#include <algorithm>

namespace shoal::worker {
namespace {

const Ip* address_of(const manager::Endpoint& endpoint, Family family) {
  const auto found =
      std::find_if(endpoint.addresses.begin(), endpoint.addresses.end(),
                   [&](const Prefix& address) { return address.ip.family() == family; });
  return found == endpoint.addresses.end() ? nullptr : &found->ip;
}

}  // namespace

PublishGround ground_of(const manager::Network& network, const Ip& default_ip,
                        const manager::Endpoint& endpoint) {
  return {network.spec.name, network.spec.internal, default_ip,
          address_of(endpoint, Family::kV4) != nullptr,
          address_of(endpoint, Family::kV6) != nullptr};
}

std::string owner_text(const std::string& endpoint, const std::string& network) {
  return endpoint + " of network " + network;
}

std::string owner_text(const Attachment& attachment) {
  return owner_text(attachment.endpoint.spec.name, attachment.network_name);
}

std::vector<PortBinding> bindings_of(const manager::Endpoint& endpoint) {
  std::vector<PortBinding> out;
  for (const std::string& text : endpoint.ports) {
    if (const Result<PortBinding> binding = parse_port_binding(text)) out.push_back(*binding);
  }
  return out;
}

Ip relayed_to(const manager::Endpoint& endpoint) {
  const Ip* const to = address_of(endpoint, Family::kV6);
  return to == nullptr ? Ip() : *to;
}

std::vector<vxlan::PortForward> forwards_of(const manager::Endpoint& endpoint) {
  std::vector<vxlan::PortForward> out;
  for (const PortBinding& binding : bindings_of(endpoint)) {
    const Ip* const to = address_of(endpoint, binding.host_ip.family());
    if (to == nullptr) continue;
    out.push_back({static_cast<uint8_t>(binding.protocol), binding.host_ip, binding.host.first,
                   binding.host.last, *to, binding.port.first});
  }
  return out;
}

}  // namespace shoal::worker
