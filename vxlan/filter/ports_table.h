// The nftables text of "table inet shoal-ports": which ports of the host lead to endpoints.
//
//     prerouting, output   to an address of the host: looked up in the maps, and translated
//
//     map         key                          leads to          elements
//     at4,6       address . protocol . port    address . port    one a port
//     port4,6     protocol . port              address . port    one a port
//     range_at4,6 address . protocol . ports   address           one a range whose ports stay
//     range4,6    protocol . ports             address           one a range whose ports stay
//
// Looked up in this order: an address of its own wins. A range whose ports become others has an
// element for each of them: nftables does not count. The rules are as many for one port as for a
// thousand, and a change is a change of elements (elements.h).
//
// What comes from outside and is addressed to 127.0.0.0/8 is led nowhere: a neighbour could write
// such packets. [::1] is not led either: Linux routes no answer to it (worker/hostnet
// relays it). Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/ip.h"

namespace shoal::vxlan {

inline constexpr std::string_view kPortsTable = "shoal-ports";

// Ports `first` to `last` of an address of the host lead to as many ports of `to`, from `to_first`.
struct PortForward {
  uint8_t protocol = 0;  // IPPROTO_TCP, _UDP, _SCTP
  Ip host;               // unspecified: every address of the host in its family
  uint16_t first = 0;
  uint16_t last = 0;
  Ip to;  // of the same family
  uint16_t to_first = 0;

  friend auto operator<=>(const PortForward&, const PortForward&) = default;
};

// One element of a map, as the kernel has it: fields padded to four bytes each.
struct MapElement {
  std::string_view map;  // one of kPortMaps
  Bytes key;
  Bytes key_end;  // of ranges; else empty
  Bytes value;

  friend auto operator<=>(const MapElement&, const MapElement&) = default;
};

inline constexpr std::string_view kPortMaps[] = {"at4", "port4", "range_at4", "range4",
                                                 "at6", "port6", "range_at6", "range6"};

std::vector<MapElement> elements_of(const PortForward& forward);

// A script that replaces the table, elements included, in one transaction; that removes it when
// nothing is led.
std::string render_ports_table(std::span<const PortForward> forwards);

}  // namespace shoal::vxlan
