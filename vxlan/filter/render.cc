#include "vxlan/filter/render.h"

#include <array>

namespace shoal::vxlan {
namespace {

constexpr std::array<std::string_view, 2> kProtocols = {"udp", "tcp"};

std::string rule(std::string_view protocol, uint16_t port) {
  const std::string address(kDnsAddress);
  return "ip daddr " + address + " " + std::string(protocol) + " dport 53 dnat ip to " + address +
         ":" + std::to_string(port);
}

size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

}  // namespace

std::string render_dns_removal() {
  // Named first, so that removing it is no error when it is not there.
  const std::string table = "table inet " + std::string(kDnsTable);
  return table + "\ndelete " + table + "\n";
}

std::string render_dns_table(uint16_t port) {
  std::string script = "table inet " + std::string(kDnsTable) + " {\n";
  // Before any other program's translation of the same packets.
  script += "  chain output {\n    type nat hook output priority -110; policy accept;\n";
  for (const std::string_view protocol : kProtocols) {
    script += "    " + rule(protocol, port) + "\n";
  }
  return script + "  }\n}\n";
}

std::string render_dns_redirect(uint16_t port) {
  return render_dns_removal() + render_dns_table(port);
}

bool shows_dns_redirect(std::string_view listing, uint16_t port) {
  for (const std::string_view protocol : kProtocols) {
    // With the line's end: 5300 is not 530.
    if (count(listing, rule(protocol, port) + "\n") != 1) return false;
  }
  return count(listing, "type nat hook output") == 1 &&
         count(listing, "dport") == kProtocols.size();
}

}  // namespace shoal::vxlan
