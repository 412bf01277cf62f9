#include "vxlan/filter/render.h"

#include <array>

namespace shoal::vxlan {
namespace {

constexpr std::array<std::string_view, 2> kProtocols = {"udp", "tcp"};

// The redirection rewrites ports and tracks nothing: a nat chain would have the kernel track every
// connection of the endpoint. A program that does track sees one connection to `port` and back: the
// query is rewritten before it is looked up, the answer after.
constexpr std::array<std::string_view, 2> kHooks = {"type filter hook output priority -310;",
                                                    "type filter hook postrouting priority 310;"};

std::string query_rule(std::string_view protocol, uint16_t port) {
  const std::string name(protocol);
  return "ip daddr " + std::string(kDnsAddress) + " " + name + " dport 53 " + name + " dport set " +
         std::to_string(port);
}

std::string answer_rule(std::string_view protocol, uint16_t port) {
  const std::string name(protocol);
  return "ip saddr " + std::string(kDnsAddress) + " " + name + " sport " + std::to_string(port) +
         " " + name + " sport set 53";
}

std::string chain(std::string_view name, std::string_view hook) {
  return "  chain " + std::string(name) + " {\n    " + std::string(hook) + " policy accept;\n";
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
  const std::string table = "table ip " + std::string(kDnsTable);
  return table + "\ndelete " + table + "\n";
}

std::string render_dns_table(uint16_t port) {
  std::string script = "table ip " + std::string(kDnsTable) + " {\n" + chain("query", kHooks[0]);
  for (const std::string_view protocol : kProtocols) {
    script += "    " + query_rule(protocol, port) + "\n";
  }
  script += "  }\n" + chain("answer", kHooks[1]);
  for (const std::string_view protocol : kProtocols) {
    script += "    " + answer_rule(protocol, port) + "\n";
  }
  return script + "  }\n}\n";
}

std::string render_dns_redirect(uint16_t port) {
  return render_dns_removal() + render_dns_table(port);
}

bool shows_dns_redirect(std::string_view listing, uint16_t port) {
  for (const std::string_view hook : kHooks) {
    if (count(listing, hook) != 1) return false;
  }
  for (const std::string_view protocol : kProtocols) {
    // With the line's end: 5300 is not 530.
    if (count(listing, query_rule(protocol, port) + "\n") != 1) return false;
    if (count(listing, answer_rule(protocol, port) + "\n") != 1) return false;
  }
  // Nothing else: the table's two lines, of each chain three and the rules; and empty ones.
  constexpr size_t kLines = 2 + kHooks.size() * (3 + kProtocols.size());
  return count(listing, "\n") - count(listing, "\n\n") == kLines;
}

}  // namespace shoal::vxlan
