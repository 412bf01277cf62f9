// Publishing: ports of this host that lead to ports of an endpoint.
//
// Asked for as Docker's `-p`, [IP:][HOST[-HOST]:]PORT[-PORT][/tcp|udp|sctp]:
//
//     80                    a port of the host's choice, on every address
//     8080:80               on every address, IPv4 and IPv6
//     127.0.0.1:8080:80     [::1]:8080:80   0.0.0.0:8080:80 (IPv4 alone)   [::]:8080:80 (IPv6
//     alone) 8000-8009:9000-9009   one to one 8000-8009:80          the first that is free
//
// What is published is told in the same form, with everything said: 0.0.0.0:8080:80/tcp.
//
// Pure values and decisions; whether a port is free is known by the kernel (hostnet/reserve.h).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/ip.h"
#include "base/types/result.h"

namespace shoal::worker {

// IP's own numbers.
enum class PortProtocol : uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };
std::string_view to_string(PortProtocol protocol);

// Every one of them is a socket that is held: a host has some tens of thousands of descriptors.
inline constexpr size_t kMostPortsOfEndpoint = 4096;

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;

  size_t size() const { return last - first + 1U; }
  std::string str() const;  // "8000-8009", or "80"
  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

struct PortSpec {
  std::optional<Ip> host_ip;      // not said: where the network publishes
  std::optional<PortRange> host;  // not said: any
  PortRange port;                 // of the endpoint
  PortProtocol protocol = PortProtocol::kTcp;

  friend bool operator==(const PortSpec&, const PortSpec&) = default;
};

// kInvalidArgument, with a sentence that repeats what was said.
Result<PortSpec> parse_port_spec(std::string_view text);

// One range of the host's ports, of one address, that leads to as many of an endpoint's.
struct PortBinding {
  PortProtocol protocol = PortProtocol::kTcp;
  Ip host_ip;  // unspecified: every address of its family
  PortRange host;
  PortRange port;

  std::string str() const;  // what parse_port_binding() reads
  friend auto operator<=>(const PortBinding&, const PortBinding&) = default;
};
Result<PortBinding> parse_port_binding(std::string_view text);

// Whether the kernel would not have both bound: as it does, an address is in the way of the
// unspecified one of its family, and a family never in the other's.
bool in_the_way(const PortBinding& a, const PortBinding& b);

// What must be found for one publication: the same ports on each of the addresses.
struct PortRequest {
  PortProtocol protocol = PortProtocol::kTcp;
  std::vector<Ip> host_ips;
  std::optional<PortRange> host;  // as many as `port` has; more: the first that is free; none: any
  PortRange port;

  friend bool operator==(const PortRequest&, const PortRequest&) = default;
};

// Where an endpoint's ports can be published.
struct PublishGround {
  std::string network;  // its name, for refusals
  bool internal = false;
  Ip default_ip;  // 0.0.0.0: both families
  bool has_v4 = false;
  bool has_v6 = false;
};

// kInvalidArgument: the network leads nowhere, an address whose family the endpoint lacks, two
// publications in each other's way; kResourceExhausted: too many.
Result<std::vector<PortRequest>> plan_ports(const std::vector<std::string>& specs,
                                            const PublishGround& ground);
// What holds again what was held before.
PortRequest request_of(const PortBinding& binding);

}  // namespace shoal::worker
