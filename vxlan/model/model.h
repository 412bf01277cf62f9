// Values of the overlay data plane: links, forwarding entries, neighbours, addresses and routes,
// as they should be (desired) and as a kernel dump shows them (observed).
//
// One overlay on one host is a network namespace of its own:
//
//     overlay namespace                                     endpoint namespace
//     br0 --+-- vxlan0   (underlay socket in the host's)
//           +-- ve<endpoint> ============ veth pair ======= eth0 (or the name asked for)
//
// Nothing is learnt and nothing is flooded to other hosts: vxlan0 has one FDB entry per remote MAC
// and one permanent neighbour per remote IP (its `proxy` flag answers ARP and ND from them), and
// br0 has one static FDB entry per local MAC. Links name each other by name; kernel indices appear
// in observed values only. Everything of ours carries a mark: the alias "shoal:<id>", the name
// prefix of ports, the route protocol kRouteProtocol.
//
// A network of this host alone (model/host.h) has its bridge in the host's namespace; its endpoints
// are the same veth pairs, with their ports there.
//
// Pure values: no IO, no threads.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/id.h"
#include "base/types/ip.h"

namespace shoal::vxlan {

inline constexpr std::string_view kBridgeName = "br0";
inline constexpr std::string_view kVxlanName = "vxlan0";
inline constexpr std::string_view kAliasPrefix = "shoal:";
// Host-side end of an endpoint's veth pair, in the overlay namespace.
inline constexpr std::string_view kPortPrefix = "ve";
// The container end while it is being made, before it gets its real name.
inline constexpr std::string_view kMakingPrefix = "vp";
// Names of ports hold this much of an endpoint id: with the prefix 12 of the kernel's 15
// characters.
inline constexpr size_t kPortIdLength = 10;
// rtm_protocol of our routes: unassigned in the kernel's list and in iproute2's rt_protos.
inline constexpr uint8_t kRouteProtocol = 83;
// Of our default routes: one that the workload gave itself has less (0 in IPv4, 1024 in IPv6) and
// wins.
inline constexpr uint32_t kGatewayMetric = 2048;
// Outer Ethernet is not counted: outer IP (20 or 40) + UDP (8) + VXLAN (8) + inner Ethernet (14).
inline constexpr uint32_t kOverheadV4 = 50;
inline constexpr uint32_t kOverheadV6 = 70;

std::string network_alias(const NetworkId& network);     // "shoal:<network id>"
std::string endpoint_alias(const EndpointId& endpoint);  // "shoal:<endpoint id>"
std::string port_name(const EndpointId& endpoint);       // "ve" + first 10 of the id
std::string making_name(const EndpointId& endpoint);     // "vp" + first 10 of the id
std::string namespace_name(const NetworkId& network);    // "shoal-" + first 12 of the id

enum class LinkKind { kOther, kLoopback, kBridge, kVxlan, kVeth };

// The kernel's IFLA_VXLAN_DF. Inherit: a packet that forbids fragmentation inside is not
// fragmented outside either; the kernel answers its sender with "too big".
enum class DfMode : uint8_t { kUnset = 0, kSet = 1, kInherit = 2 };

struct VxlanConfig {
  Vni vni;
  Ip local;
  uint16_t port = 4789;
  bool learning = false;
  bool proxy = true;
  DfMode df = DfMode::kInherit;
  bool has_default_destination = false;  // a group or remote was given: unknown MACs are flooded

  friend bool operator==(const VxlanConfig&, const VxlanConfig&) = default;
};

struct BridgeConfig {
  bool stp = false;
  bool multicast_snooping = false;

  friend bool operator==(const BridgeConfig&, const BridgeConfig&) = default;
};

// A link as a port of a bridge.
struct PortConfig {
  std::string bridge;
  bool learning = false;
  // Frames to a MAC the bridge does not know: to vxlan0 only, never to other endpoints.
  bool unicast_flood = false;
  // It exchanges frames with the bridge itself and with ports that are not isolated only.
  bool isolated = false;
  // A frame may go back where it came from: where br_netfilter translates addresses of frames, that
  // is how an endpoint reaches a port of its own that the host publishes.
  bool hairpin = false;

  friend bool operator==(const PortConfig&, const PortConfig&) = default;
};

// IPv6 behaviour of a link that Shoal sets.
struct Inet6Config {
  bool disabled = false;
  bool accept_ra = false;

  friend bool operator==(const Inet6Config&, const Inet6Config&) = default;
};

struct Link {
  std::string name;
  LinkKind kind = LinkKind::kOther;
  std::string alias;
  Mac mac;  // zero in a desired link: any
  uint32_t mtu = 0;
  bool up = true;
  std::optional<VxlanConfig> vxlan;
  std::optional<BridgeConfig> bridge;
  std::optional<PortConfig> port;
  std::optional<Inet6Config> inet6;  // desired without: left alone; observed without: no IPv6

  // Observed only.
  int index = 0;
  int peer_index = 0;  // of a veth: the other end's index, in its own namespace
  // Frames pass. After a link goes up the kernel still has to notice its carrier, and until then
  // drops what is sent.
  bool running = false;

  friend bool operator==(const Link&, const Link&) = default;
};

// With `vtep`: an entry of vxlan0's own table. Without: an entry of the bridge for one of its
// ports.
struct Fdb {
  std::string link;
  Mac mac;
  std::optional<Ip> vtep;
  bool is_static = true;  // observed: false for a learnt entry

  friend auto operator<=>(const Fdb&, const Fdb&) = default;
};

struct Neigh {
  std::string link;
  Ip ip;
  Mac mac;
  bool permanent = true;  // observed: false when the kernel may change or forget it

  friend auto operator<=>(const Neigh&, const Neigh&) = default;
};

struct Address {
  std::string link;
  Prefix prefix;

  friend auto operator<=>(const Address&, const Address&) = default;
};

// On-link, or through `gateway` with the metric kGatewayMetric.
struct Route {
  std::string link;
  Prefix destination;
  std::optional<Ip> source;
  bool ours = true;  // observed: carries kRouteProtocol
  std::optional<Ip> gateway;

  friend auto operator<=>(const Route&, const Route&) = default;
};

// What one network namespace holds, desired or observed.
struct NamespaceState {
  std::vector<Link> links;
  std::vector<Fdb> fdb;
  std::vector<Neigh> neighs;
  std::vector<Address> addresses;
  std::vector<Route> routes;

  const Link* find(std::string_view name) const;
  const Link* find_alias(std::string_view alias) const;
  const Link* find_index(int index) const;

  friend bool operator==(const NamespaceState&, const NamespaceState&) = default;
};

// One local attachment: its port in the overlay namespace and its interface in its own.
struct DesiredEndpoint {
  EndpointId id;
  NetworkId network;
  std::string ifname;  // empty: the lowest free ethN, and whatever it is called later
  std::string ifname_prefix = "eth";
  Mac mac;
  uint32_t mtu = 0;
  std::vector<Prefix> addresses;  // with the prefix length of their subnet
  std::vector<Prefix> subnets;    // of the network; those without an address get an on-link route
  // At the bridge. A port that learns needs no forwarding entry of its own.
  PortConfig port{std::string(kBridgeName)};
  Inet6Config port_inet6;
  std::vector<Ip> gateways;  // default routes, at most one of each family

  friend bool operator==(const DesiredEndpoint&, const DesiredEndpoint&) = default;
};

// What is needed to plan for one endpoint.
struct ObservedEndpoint {
  NamespaceState overlay;  // at least its port and the port's bridge entries
  NamespaceState inside;   // links of the endpoint's namespace; addresses and routes of its own
};

// One overlay on this host. `space` holds br0, vxlan0, their FDB and neighbours; ports follow from
// the endpoints.
struct DesiredOverlay {
  NetworkId network;
  NamespaceState space;
  std::vector<DesiredEndpoint> endpoints;

  friend bool operator==(const DesiredOverlay&, const DesiredOverlay&) = default;
};

// True for a link that is ours: by alias, or by the name it is born with.
bool carries_mark(const Link& link);

}  // namespace shoal::vxlan
