#include "worker/drivers/bridge_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/codec/nearest.h"

namespace shoal::worker {
namespace {

constexpr uint32_t kSmallestMtu = 68;  // RFC 791
constexpr uint32_t kLargestMtu = 65535;
constexpr size_t kLongestIfname = 15;  // the kernel's IFNAMSIZ with its end
// Leaves room for a number.
constexpr size_t kLongestPrefix = 11;
constexpr size_t kToldText = 64;  // of what came from outside, in a message

// Docker's, whose meaning is not there yet.
constexpr std::array<std::string_view, 6> kOthers = {
    "com.docker.network.bridge.gateway_mode_ipv4",
    "com.docker.network.bridge.gateway_mode_ipv6",
    "com.docker.network.bridge.trusted_host_interfaces",
    "com.docker.network.bridge.default_bridge",
    "com.docker.network.host_ipv4",
    "com.docker.network.host_ipv6",
};

std::string told(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kToldText)) out += c >= ' ' && c != '"' && c < 0x7f ? c : '?';
  return "\"" + out + "\"";
}

Error bad_value(std::string_view key, std::string_view value, const std::string& rule) {
  return invalid_argument("option " + std::string(key) + "=" + told(value) +
                          " is not possible: " + rule);
}

// As Go's ParseBool, which Docker's options are read by.
Result<bool> parse_bool(std::string_view key, std::string_view value) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (value == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (value == no) return false;
  }
  return bad_value(key, value, "true or false is expected");
}

bool is_ifname(std::string_view name, size_t longest) {
  if (name.empty() || name.size() > longest || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '"' && c != '%';
  });
}

Result<std::string> parse_ifname(std::string_view key, std::string_view value, size_t longest) {
  if (is_ifname(value, longest)) return std::string(value);
  return bad_value(key, value,
                   "1 to " + std::to_string(longest) +
                       " characters are expected, without spaces, quotes, \"/\", \":\" and \"%\"");
}

Result<uint32_t> parse_mtu(std::string_view key, std::string_view value) {
  uint32_t mtu = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), mtu);
  const bool number = code == std::errc() && end == value.data() + value.size();
  if (number && mtu == 0) return BridgeOptions().mtu;  // Docker's default
  if (number && mtu >= kSmallestMtu && mtu <= kLargestMtu) return mtu;
  return bad_value(
      key, value,
      std::to_string(kSmallestMtu) + " to " + std::to_string(kLargestMtu) + " bytes are possible");
}

struct Known {
  std::string_view key;
  Status (*parse)(std::string_view key, std::string_view value, BridgeOptions& out);
};

constexpr std::array<Known, 7> kKnown = {{
    {"com.docker.network.bridge.name",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.bridge_name = SHOAL_TRY(parse_ifname(key, value, kLongestIfname));
       return ok_status();
     }},
    {"com.docker.network.bridge.enable_ip_masquerade",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.masquerade = SHOAL_TRY(parse_bool(key, value));
       return ok_status();
     }},
    {"com.docker.network.bridge.enable_icc",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.icc = SHOAL_TRY(parse_bool(key, value));
       return ok_status();
     }},
    {"com.docker.network.bridge.inhibit_ipv4",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.inhibit_ipv4 = SHOAL_TRY(parse_bool(key, value));
       return ok_status();
     }},
    {"com.docker.network.bridge.host_binding_ipv4",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       const Result<Ip> ip = Ip::parse(value);
       if (!ip || ip->is_multicast()) {
         return bad_value(key, value, "an address of this host is expected");
       }
       out.host_binding = *ip;
       return ok_status();
     }},
    {"com.docker.network.driver.mtu",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.mtu = SHOAL_TRY(parse_mtu(key, value));
       return ok_status();
     }},
    {"com.docker.network.container_iface_prefix",
     [](std::string_view key, std::string_view value, BridgeOptions& out) -> Status {
       out.ifname_prefix = SHOAL_TRY(parse_ifname(key, value, kLongestPrefix));
       return ok_status();
     }},
}};

Error unknown(std::string_view key) {
  std::array<std::string_view, kKnown.size()> names;
  std::transform(kKnown.begin(), kKnown.end(), names.begin(),
                 [](const Known& known) { return known.key; });
  return invalid_argument("unknown option " + told(key) + " of a bridge network: \"" +
                          std::string(nearest(key, names)) + "\" is the nearest that is known");
}

}  // namespace

Result<BridgeOptions> parse_bridge_options(const std::map<std::string, std::string>& options) {
  BridgeOptions out;
  for (const auto& [key, value] : options) {
    const auto known = std::find_if(kKnown.begin(), kKnown.end(),
                                    [&key = key](const Known& each) { return each.key == key; });
    if (known != kKnown.end()) {
      SHOAL_TRY(known->parse(key, value, out));
    } else if (std::find(kOthers.begin(), kOthers.end(), key) != kOthers.end()) {
      return unimplemented("option " + key + " is not supported yet: leave it out");
    } else {
      return unknown(key);
    }
  }
  return out;
}

}  // namespace shoal::worker
