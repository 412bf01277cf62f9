#include "worker/drivers/bridge.h"

#include <algorithm>

#include "base/types/check.h"
#include "worker/drivers/bridge_options.h"

namespace shoal::worker {
namespace {

constexpr uint32_t kSmallestMtuV6 = 1280;  // RFC 8200, section 5

BridgeOptions options_of(const manager::Network& network) {
  const Result<BridgeOptions> options = parse_bridge_options(network.spec.options);
  SHOAL_CHECK(options.ok(), "a network is made of a spec that was validated");
  return *options;
}

std::string name_of(const manager::Network& network, const BridgeOptions& options) {
  return options.bridge_name.empty() ? vxlan::bridge_name(network.id) : options.bridge_name;
}

bool has_v6(const manager::Network& network) {
  return std::any_of(network.subnets.begin(), network.subnets.end(),
                     [](const manager::Subnet& subnet) { return subnet.prefix.ip.is_v6(); });
}

}  // namespace

Status BridgeDriver::validate(const manager::NetworkSpec& spec) const {
  const BridgeOptions options = SHOAL_TRY(parse_bridge_options(spec.options));
  if (spec.ingress) {
    return invalid_argument(
        "an ingress network is the cluster's: it cannot be of driver \"bridge\"");
  }
  size_t v4 = 0;
  size_t v6 = 0;
  for (const manager::SubnetSpec& subnet : spec.subnets) {
    ++(subnet.subnet && subnet.subnet->ip.is_v6() ? v6 : v4);
  }
  if (v4 > 1 || v6 > 1) {
    return invalid_argument("a bridge network has one IPv4 subnet and at most one IPv6 subnet: " +
                            std::to_string(v4) + " and " + std::to_string(v6) + " were given");
  }
  if ((spec.ipv6 || v6 > 0) && options.mtu < kSmallestMtuV6) {
    return invalid_argument("IPv6 needs an MTU of " + std::to_string(kSmallestMtuV6) +
                            " bytes at least: " + std::to_string(options.mtu) + " was given");
  }
  return ok_status();
}

vxlan::DesiredHostNetwork BridgeDriver::network(const manager::Network& network) const {
  const BridgeOptions options = options_of(network);
  vxlan::DesiredHostNetwork out;
  out.network = network.id;
  out.bridge.name = name_of(network, options);
  out.bridge.kind = vxlan::LinkKind::kBridge;
  out.bridge.alias = vxlan::network_alias(network.id);
  out.bridge.mac = vxlan::bridge_mac(network.id);
  out.bridge.mtu = options.mtu;
  // Any endpoint could pose as a router.
  out.bridge.inet6 = vxlan::Inet6Config{!has_v6(network), false};
  out.rules.bridge = out.bridge.name;
  out.rules.internal = network.spec.internal;
  for (const manager::Subnet& subnet : network.subnets) {
    const bool inhibited = options.inhibit_ipv4 && subnet.gateway.is_v4();
    out.rules.subnets.push_back(subnet.prefix);
    if (!inhibited) out.addresses.push_back({subnet.gateway, subnet.prefix.length});
    if (options.masquerade && !network.spec.internal) out.rules.masquerade.push_back(subnet.prefix);
  }
  return out;
}

vxlan::DesiredEndpoint BridgeDriver::endpoint(const manager::Network& network,
                                              const Placement& placement) const {
  const BridgeOptions options = options_of(network);
  vxlan::DesiredEndpoint out;
  out.id = placement.id;
  out.network = network.id;
  out.ifname = placement.ifname;
  out.ifname_prefix = options.ifname_prefix;
  out.mac = placement.mac;
  out.mtu = options.mtu;
  out.addresses = placement.addresses;
  // A workload may have further MACs behind its own, as on Docker's bridges: the bridge learns.
  out.port = {name_of(network, options), true, true, !options.icc, placement.published};
  // The port only carries frames; the host makes no address of its own on it.
  out.port_inet6 = vxlan::Inet6Config{true, false};
  for (const manager::Subnet& subnet : network.subnets) {
    out.subnets.push_back(subnet.prefix);
    if (!placement.gateway || network.spec.internal) continue;
    const bool has_family =
        std::any_of(placement.addresses.begin(), placement.addresses.end(),
                    [&](const Prefix& own) { return own.ip.family() == subnet.gateway.family(); });
    if (has_family) out.gateways.push_back(subnet.gateway);
  }
  return out;
}

Ip BridgeDriver::publishes_at(const manager::Network& network) const {
  return options_of(network).host_binding;
}

std::vector<std::string> BridgeDriver::explain(const manager::Network& network) const {
  const BridgeOptions options = options_of(network);
  std::vector<std::string> out = {"endpoints are ports of the bridge " + name_of(network, options) +
                                  " of this host; other bridges do not reach them"};
  if (!options.icc) out.emplace_back("its endpoints do not reach each other");
  if (network.spec.internal) {
    out.emplace_back("it is internal: there is no way out of it, but to this host");
  } else if (options.masquerade) {
    out.emplace_back("its endpoints reach the outside under this host's address");
  } else {
    out.emplace_back("its endpoints reach the outside under their own addresses");
  }
  if (options.host_binding != Ip()) {
    out.emplace_back("ports are published on " + options.host_binding.str() +
                     " where no address is said");
  }
  return out;
}

}  // namespace shoal::worker
