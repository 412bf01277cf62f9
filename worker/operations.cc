#include "worker/operations.h"

#include <charconv>

namespace shoal::worker {
namespace {

constexpr char kMtuOption[] = "com.docker.network.driver.mtu";

}  // namespace

EndpointRecord record_of(const Attachment& attachment, const Ip& vtep) {
  EndpointRecord out;
  out.name = attachment.endpoint.spec.name;
  out.aliases = attachment.endpoint.spec.aliases;
  for (const Prefix& address : attachment.endpoint.addresses) out.ips.push_back(address.ip);
  out.mac = attachment.endpoint.mac;
  out.vtep = vtep;
  return out;
}

OverlayNetwork overlay_of(const manager::Network& network) {
  OverlayNetwork out;
  out.id = network.id;
  out.name = network.spec.name;
  out.vni = network.vni;
  for (const manager::Subnet& subnet : network.subnets) out.subnets.push_back(subnet.prefix);
  out.driver = network.spec.driver;
  out.internal = network.spec.internal;
  const auto option = network.spec.options.find(kMtuOption);
  if (option != network.spec.options.end()) {
    const std::string& text = option->second;
    // The managers checked it; what cannot be read leaves the path's own MTU.
    uint32_t mtu = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mtu);
    if (error == std::errc() && end == text.data() + text.size()) out.underlay_mtu = mtu;
  }
  return out;
}

}  // namespace shoal::worker
