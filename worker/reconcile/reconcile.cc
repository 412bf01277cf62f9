#include "worker/reconcile/reconcile.h"

#include <algorithm>
#include <set>

namespace shoal::worker {
namespace {

constexpr std::string_view kOverlayDriver = "overlay";

struct Building {
  const OverlayNetwork* network;
  uint32_t mtu;
  vxlan::DesiredOverlay overlay;
  // By MAC and IP, so that each is said once and a local one wins over a stale remote one.
  std::set<Mac> macs;
  std::set<Ip> ips;
  std::set<std::string> ports;
};

vxlan::NamespaceState devices(const OverlayNetwork& network, const WorkerState& state,
                              uint32_t mtu) {
  vxlan::Link bridge;
  bridge.name = vxlan::kBridgeName;
  bridge.kind = vxlan::LinkKind::kBridge;
  bridge.alias = vxlan::network_alias(network.id);
  bridge.mtu = mtu;
  bridge.bridge = vxlan::BridgeConfig{};
  bridge.inet6 = vxlan::Inet6Config{};
  vxlan::Link tunnel;
  tunnel.name = vxlan::kVxlanName;
  tunnel.kind = vxlan::LinkKind::kVxlan;
  tunnel.alias = bridge.alias;
  tunnel.mtu = mtu;
  tunnel.vxlan = vxlan::VxlanConfig{network.vni, state.data_path_address, state.data_path_port};
  tunnel.port = vxlan::PortConfig{bridge.name, false, true};
  tunnel.inet6 = vxlan::Inet6Config{};  // on: the kernel answers ND by it; it has no address
  vxlan::NamespaceState space;
  space.links = {std::move(bridge), std::move(tunnel)};
  return space;
}

Status check_endpoint(const LocalEndpoint& endpoint, const Building& building) {
  if (endpoint.mac.is_zero()) return invalid_argument("the endpoint has no MAC address");
  if (building.ports.contains(vxlan::port_name(endpoint.id))) {
    return already_exists("two endpoint ids begin with the same " +
                          std::to_string(vxlan::kPortIdLength) + " characters");
  }
  if (building.macs.contains(endpoint.mac)) {
    return already_exists("MAC address " + endpoint.mac.str() + " has two owners");
  }
  const uint32_t mtu = building.mtu;
  if (mtu < kMinMtuV4) {
    return invalid_argument("the underlay's MTU leaves " + std::to_string(mtu) +
                            " bytes for the network, and IPv4 needs " + std::to_string(kMinMtuV4));
  }
  for (const Prefix& address : endpoint.addresses) {
    if (building.ips.contains(address.ip)) {
      return already_exists("address " + address.ip.str() + " has two owners");
    }
    if (address.ip.is_v6() && mtu < kMinMtuV6) {
      return invalid_argument("the underlay's MTU leaves " + std::to_string(mtu) +
                              " bytes for the network, and IPv6 needs " +
                              std::to_string(kMinMtuV6));
    }
  }
  return ok_status();
}

void add_local(const LocalEndpoint& endpoint, Building& building) {
  vxlan::DesiredEndpoint desired;
  desired.id = endpoint.id;
  desired.network = endpoint.network;
  desired.ifname = endpoint.ifname;
  desired.mac = endpoint.mac;
  desired.mtu = building.mtu;
  desired.addresses = endpoint.addresses;
  desired.subnets = building.network->subnets;
  building.macs.insert(endpoint.mac);
  building.ports.insert(vxlan::port_name(endpoint.id));
  for (const Prefix& address : endpoint.addresses) building.ips.insert(address.ip);
  building.overlay.endpoints.push_back(std::move(desired));
}

void add_remote(const RemoteEndpoint& remote, const Ip& local, Building& building,
                std::vector<Error>& problems) {
  if (remote.vtep == local) return;  // ours: a table that is behind
  const auto refuse = [&](const std::string& why) {
    problems.push_back(invalid_argument("the endpoint with MAC " + remote.mac.str() + " at " +
                                        remote.vtep.str() + " on network " +
                                        building.network->name + " is left out: " + why));
  };
  if (remote.vtep.family() != local.family()) {
    return refuse("its host has no address of this host's family (" + local.str() + ")");
  }
  if (remote.vtep.is_unspecified() || remote.vtep.is_multicast()) {
    return refuse("its host's address is not one");
  }
  if (remote.mac.is_zero() || (remote.mac.bytes()[0] & 1) != 0) {
    return refuse("its MAC address is not one");
  }
  if (!building.macs.insert(remote.mac).second) {
    return refuse("another endpoint has that MAC address");
  }
  const std::string link(vxlan::kVxlanName);
  building.overlay.space.fdb.push_back({link, remote.mac, remote.vtep});
  for (const Ip& ip : remote.ips) {
    if (!building.ips.insert(ip).second) {
      refuse("another endpoint has the address " + ip.str());
      continue;
    }
    building.overlay.space.neighs.push_back({link, ip, remote.mac});
  }
}

}  // namespace

uint32_t overlay_mtu(uint32_t underlay_mtu, const Ip& data_path_address) {
  const uint32_t overhead = data_path_address.is_v4() ? vxlan::kOverheadV4 : vxlan::kOverheadV6;
  return underlay_mtu > overhead ? underlay_mtu - overhead : 0;
}

Reconciled reconcile(const WorkerState& state, uint32_t path_mtu) {
  Reconciled result;
  std::map<NetworkId, Building> buildings;
  for (const OverlayNetwork& network : state.networks) {
    if (network.driver != kOverlayDriver) continue;
    uint32_t underlay = state.underlay_mtu != 0 ? state.underlay_mtu : path_mtu;
    if (network.underlay_mtu != 0) underlay = network.underlay_mtu;
    Building& building = buildings[network.id];
    building.network = &network;
    building.mtu = overlay_mtu(underlay, state.data_path_address);
    building.overlay.network = network.id;
    building.overlay.space = devices(network, state, building.mtu);
  }
  for (const LocalEndpoint& endpoint : state.local) {
    const auto found = buildings.find(endpoint.network);
    if (found == buildings.end()) {
      result.endpoint_errors.emplace(endpoint.id,
                                     not_found("network " + endpoint.network.str() +
                                               " is not an overlay network known to this node"));
      continue;
    }
    const Status checked = check_endpoint(endpoint, found->second);
    if (checked.ok()) {
      add_local(endpoint, found->second);
    } else {
      result.endpoint_errors.emplace(endpoint.id, checked.error());
    }
  }
  for (const RemoteEndpoint& remote : state.remote) {
    const auto found = buildings.find(remote.network);
    if (found == buildings.end() || found->second.overlay.endpoints.empty()) continue;
    add_remote(remote, state.data_path_address, found->second, result.problems);
  }
  for (auto& [id, building] : buildings) {
    if (!building.overlay.endpoints.empty()) result.overlays.push_back(std::move(building.overlay));
  }
  return result;
}

}  // namespace shoal::worker
