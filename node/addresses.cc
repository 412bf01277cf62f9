#include "node/addresses.h"

#include <algorithm>
#include <optional>

namespace shoal::node {
namespace {

bool is_global(const Ip& ip) {
  return !ip.is_unspecified() && !ip.is_loopback() && !ip.is_link_local() && !ip.is_multicast();
}

std::string list(const std::vector<InterfaceAddress>& addresses) {
  std::string out;
  for (const InterfaceAddress& item : addresses) {
    if (!out.empty()) out += ", ";
    out += item.address.str() + " (" + item.interface + ")";
  }
  return out;
}

// The only one of the best family, or the reason why there is none.
Result<Ip> only_one(std::vector<InterfaceAddress> candidates, const std::string& where,
                    std::string_view option) {
  std::erase_if(candidates, [](const InterfaceAddress& item) { return !is_global(item.address); });
  if (candidates.empty()) {
    return invalid_argument(where + " has no address that other hosts could reach: give one with " +
                            std::string(option));
  }
  std::vector<InterfaceAddress> best;
  for (const Family family : {Family::kV4, Family::kV6}) {
    for (const InterfaceAddress& item : candidates) {
      if (item.address.family() == family) best.push_back(item);
    }
    if (!best.empty()) break;
  }
  if (best.size() > 1) {
    return invalid_argument(where + " has more than one address: choose one with " +
                            std::string(option) + ": " + list(candidates));
  }
  return best.front().address;
}

Result<uint16_t> parse_port(std::string_view text) {
  uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || port > UINT16_MAX) port = UINT16_MAX + 1;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (text.empty() || port == 0 || port > UINT16_MAX) {
    return invalid_argument("\"" + std::string(text.substr(0, 64)) +
                            "\" is not a port: 1 to 65535 is expected");
  }
  return static_cast<uint16_t>(port);
}

}  // namespace

Result<Ip> choose_address(const std::vector<InterfaceAddress>& addresses, std::string_view text,
                          std::string_view option) {
  if (text.empty()) return only_one(addresses, "this host", option);
  const Result<Ip> ip = Ip::parse(text);
  if (ip) {
    if (!is_global(*ip)) {
      return invalid_argument(std::string(option) + " " + ip->str() +
                              " is not an address that other hosts could reach");
    }
    return *ip;
  }
  std::vector<InterfaceAddress> of_interface;
  for (const InterfaceAddress& item : addresses) {
    if (item.interface == text) of_interface.push_back(item);
  }
  if (of_interface.empty()) {
    return invalid_argument(std::string(option) + " \"" + std::string(text.substr(0, 64)) +
                            "\" is neither an address nor an interface with one; this host has " +
                            list(addresses));
  }
  return only_one(of_interface, "interface " + std::string(text), option);
}

Result<HostPort> choose_advertise(const std::vector<InterfaceAddress>& addresses,
                                  std::string_view text, uint16_t default_port) {
  constexpr std::string_view kOption = "--advertise-addr";
  if (text.empty() || Ip::parse(text).ok()) {
    return HostPort{SHOAL_TRY(choose_address(addresses, text, kOption)), default_port};
  }
  const Result<HostPort> both = HostPort::parse(text, default_port);
  if (both) {
    return HostPort{SHOAL_TRY(choose_address(addresses, both->ip.str(), kOption)), both->port};
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return HostPort{SHOAL_TRY(choose_address(addresses, text, kOption)), default_port};
  }
  const uint16_t port = SHOAL_TRY(parse_port(text.substr(colon + 1)));
  return HostPort{SHOAL_TRY(choose_address(addresses, text.substr(0, colon), kOption)), port};
}

Result<HostPort> choose_listen(std::string_view text, Family family, uint16_t default_port) {
  if (text.empty()) {
    return HostPort{family == Family::kV4 ? Ip() : Ip::v6({}), default_port};
  }
  if (const Result<Ip> ip = Ip::parse(text)) return HostPort{*ip, default_port};
  const Result<HostPort> both = HostPort::parse(text, default_port);
  if (!both) return both.error().wrap("--listen-addr");
  return *both;
}

}  // namespace shoal::node
