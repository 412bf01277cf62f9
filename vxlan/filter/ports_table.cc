#include "vxlan/filter/ports_table.h"

#include <array>
#include <map>

namespace shoal::vxlan {
namespace {

bool keeps_ports(const PortForward& forward) {
  return forward.last > forward.first && forward.first == forward.to_first;
}

std::string_view map_of(const PortForward& forward) {
  const bool any = forward.host.is_unspecified();
  if (forward.host.is_v4()) {
    if (keeps_ports(forward)) return any ? "range4" : "range_at4";
    return any ? "port4" : "at4";
  }
  if (keeps_ports(forward)) return any ? "range6" : "range_at6";
  return any ? "port6" : "at6";
}

void put_padded(Bytes& out, std::span<const uint8_t> field) {
  out.insert(out.end(), field.begin(), field.end());
  while (out.size() % 4 != 0) out.push_back(0);
}

void put_port(Bytes& out, uint16_t port) {
  const std::array<uint8_t, 2> bytes = {static_cast<uint8_t>(port >> 8),
                                        static_cast<uint8_t>(port)};
  put_padded(out, bytes);
}

Bytes key_of(const PortForward& forward, uint16_t port) {
  Bytes out;
  if (!forward.host.is_unspecified()) put_padded(out, forward.host.bytes());
  put_padded(out, std::array<uint8_t, 1>{forward.protocol});
  put_port(out, port);
  return out;
}

uint16_t plus(uint16_t port, uint32_t offset) { return static_cast<uint16_t>(port + offset); }

// "1.2.3.4 . tcp . 80 : 5.6.7.8 . 80", with numbers for protocols.
std::string key_text(const PortForward& forward) {
  const std::string protocol = std::to_string(forward.protocol) + " . ";
  return forward.host.is_unspecified() ? protocol : forward.host.str() + " . " + protocol;
}

void put_texts(const PortForward& forward, std::string& out) {
  const auto put = [&](const std::string& element) { out += (out.empty() ? "" : ", ") + element; };
  if (keeps_ports(forward)) {
    return put(key_text(forward) + std::to_string(forward.first) + "-" +
               std::to_string(forward.last) + " : " + forward.to.str());
  }
  for (uint32_t i = 0; i <= uint32_t{forward.last} - forward.first; ++i) {
    put(key_text(forward) + std::to_string(forward.first + i) + " : " + forward.to.str() + " . " +
        std::to_string(forward.to_first + i));
  }
}

std::string map_text(std::string_view name, const std::string& elements) {
  const bool v4 = name.back() == '4';
  const bool range = name.starts_with("range");
  const std::string address = v4 ? "ipv4_addr" : "ipv6_addr";
  const bool at = name.find("at") != name.npos;
  std::string text = "  map " + std::string(name) + " {\n    type " + (at ? address + " . " : "") +
                     "inet_proto . inet_service : " + address + (range ? "" : " . inet_service") +
                     "\n";
  if (range) text += "    flags interval\n";
  if (!elements.empty()) text += "    elements = { " + elements + " }\n";
  return text + "  }\n";
}

std::string lead_rule(std::string_view name) {
  const std::string family = name.back() == '4' ? "ip" : "ip6";
  const bool at = name.find("at") != name.npos;
  return "    meta nfproto " + std::string(name.back() == '4' ? "ipv4" : "ipv6") + " dnat " +
         family + " to " + (at ? family + " daddr . " : "") + "meta l4proto . th dport map @" +
         std::string(name) + "\n";
}

}  // namespace

std::vector<MapElement> elements_of(const PortForward& forward) {
  std::vector<MapElement> out;
  const std::string_view map = map_of(forward);
  if (keeps_ports(forward)) {
    MapElement element{map, key_of(forward, forward.first), key_of(forward, forward.last), {}};
    put_padded(element.value, forward.to.bytes());
    out.push_back(std::move(element));
    return out;
  }
  for (uint32_t i = 0; i <= uint32_t{forward.last} - forward.first; ++i) {
    MapElement element{map, key_of(forward, plus(forward.first, i)), {}, {}};
    put_padded(element.value, forward.to.bytes());
    put_port(element.value, plus(forward.to_first, i));
    out.push_back(std::move(element));
  }
  return out;
}

std::string render_ports_table(std::span<const PortForward> forwards) {
  const std::string name = "table inet " + std::string(kPortsTable);
  // Named first, so that removing it is no error when it is not there.
  std::string text = name + "\ndelete " + name + "\n";
  if (forwards.empty()) return text;
  std::map<std::string_view, std::string> elements;
  for (const PortForward& forward : forwards) put_texts(forward, elements[map_of(forward)]);
  text += name + " {\n";
  for (const std::string_view map : kPortMaps) text += map_text(map, elements[map]);
  text += "  chain lead {\n";
  for (const std::string_view map : kPortMaps) text += lead_rule(map);
  return text +
         "  }\n"
         "  chain prerouting {\n"
         "    type nat hook prerouting priority dstnat; policy accept;\n"
         "    iifname != \"lo\" ip daddr 127.0.0.0/8 return\n"
         "    meta l4proto { tcp, udp, sctp } fib daddr type local goto lead\n"
         "  }\n"
         "  chain output {\n"
         "    type nat hook output priority -100; policy accept;\n"
         "    ip6 daddr ::1 return\n"
         "    meta l4proto { tcp, udp, sctp } fib daddr type local goto lead\n"
         "  }\n}\n";
}

}  // namespace shoal::vxlan
