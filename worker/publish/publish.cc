#include "worker/publish/publish.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace shoal::worker {
namespace {

constexpr size_t kLongestSpec = 128;  // "[" 45 "]:" 11 ":" 11 "/sctp", and generously more
constexpr size_t kToldText = 64;      // of what came from outside, in a message

constexpr std::array<PortProtocol, 3> kProtocols = {PortProtocol::kTcp, PortProtocol::kUdp,
                                                    PortProtocol::kSctp};

std::string told(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kToldText)) out += c >= ' ' && c != '"' && c < 0x7f ? c : '?';
  return "\"" + out + (text.size() > kToldText ? "...\"" : "\"");
}

Error refused(std::string_view spec, const std::string& why) {
  return invalid_argument("port " + told(spec) + " cannot be published: " + why);
}

// As Go's ParseUint: digits alone.
std::optional<uint32_t> parse_number(std::string_view text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (text.empty() || code != std::errc() || stop != end) return {};
  return number;
}

// `what`: "the host's" or "the endpoint's" port.
Result<PortRange> parse_range(std::string_view spec, std::string_view text, const char* what) {
  const size_t dash = text.find('-');
  const std::optional<uint32_t> first = parse_number(text.substr(0, dash));
  const std::optional<uint32_t> last =
      dash == text.npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last == 0 || *first > 65535 || *last > 65535) {
    return refused(spec, std::string(what) + " " + told(text) +
                             " is not a port from 1 to 65535, nor a range of such");
  }
  if (*last < *first) {
    return refused(spec, std::string(what) + " range " + told(text) + " ends before it begins");
  }
  return PortRange{static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Result<PortProtocol> parse_protocol(std::string_view spec, std::string_view text) {
  for (const PortProtocol protocol : kProtocols) {
    const std::string_view name = to_string(protocol);
    if (std::equal(text.begin(), text.end(), name.begin(), name.end(),
                   [](char a, char b) { return lower(a) == b; })) {
      return protocol;
    }
  }
  return refused(spec, "protocol " + told(text) + " is none of tcp, udp and sctp");
}

Result<std::optional<Ip>> parse_host_ip(std::string_view spec, std::string_view text) {
  if (text.empty()) return std::optional<Ip>();
  std::string_view inner = text;
  if (text.front() == '[' && text.back() == ']') inner = text.substr(1, text.size() - 2);
  const Result<Ip> ip = Ip::parse(inner);
  if (!ip || (inner.size() != text.size() && ip->is_v4())) {
    return refused(spec, told(text) +
                             " is not an address of this host: say an IPv4 address, or an "
                             "IPv6 address in brackets");
  }
  if (ip->is_multicast()) return refused(spec, ip->str() + " is a multicast address");
  return std::optional(*ip);
}

bool overlap(const PortRange& a, const PortRange& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The addresses that one spec means.
Result<std::vector<Ip>> host_ips(const std::string& text, const PortSpec& spec,
                                 const PublishGround& ground) {
  const Ip all_v6 = Ip::v6({});
  std::vector<Ip> out;
  if (!spec.host_ip && ground.default_ip == Ip()) {
    if (ground.has_v4) out.emplace_back();
    if (ground.has_v6) out.push_back(all_v6);
    return out;
  }
  const Ip ip = spec.host_ip.value_or(ground.default_ip);
  if (ip.is_v4() ? !ground.has_v4 : !ground.has_v6) {
    const std::string family = ip.is_v4() ? "IPv4" : "IPv6";
    return refused(text, "it is to be reached at " + ip.str() + ", and the endpoint has no " +
                             family + " address on network " + told(ground.network) +
                             (ip.is_v6() ? ": create the network with --ipv6" : ""));
  }
  return std::vector<Ip>{ip};
}

Status check_apart(const std::vector<PortRequest>& requests, const PortRequest& next,
                   const std::string& text) {
  if (!next.host || next.host->size() != next.port.size()) return ok_status();
  for (const PortRequest& other : requests) {
    if (!other.host || other.host->size() != other.port.size()) continue;
    for (const Ip& a : next.host_ips) {
      for (const Ip& b : other.host_ips) {
        const PortBinding one{next.protocol, a, *next.host, next.port};
        const PortBinding two{other.protocol, b, *other.host, other.port};
        if (in_the_way(one, two)) {
          return refused(text, "another of this endpoint's is in its way, " + two.str());
        }
      }
    }
  }
  return ok_status();
}

}  // namespace

std::string_view to_string(PortProtocol protocol) {
  switch (protocol) {
    case PortProtocol::kTcp:
      return "tcp";
    case PortProtocol::kUdp:
      return "udp";
    case PortProtocol::kSctp:
      return "sctp";
  }
  return "tcp";
}

std::string PortRange::str() const {
  return std::to_string(first) + (first == last ? "" : "-" + std::to_string(last));
}

Result<PortSpec> parse_port_spec(std::string_view text) {
  if (text.empty()) return invalid_argument("a port to publish is empty: say PORT, or HOST:PORT");
  if (text.size() > kLongestSpec) {
    return refused(text, "it is longer than any that is possible");
  }
  PortSpec out;
  std::string_view rest = text;
  if (const size_t slash = rest.find('/'); slash != rest.npos) {
    out.protocol = SHOAL_TRY(parse_protocol(text, rest.substr(slash + 1)));
    rest = rest.substr(0, slash);
  }
  // From the right: what is left of the host's port is an address, with colons or without.
  const size_t port_colon = rest.rfind(':');
  const std::string_view port = port_colon == rest.npos ? rest : rest.substr(port_colon + 1);
  if (port.empty()) return refused(text, "the endpoint's port is missing");
  out.port = SHOAL_TRY(parse_range(text, port, "the endpoint's"));
  if (port_colon == rest.npos) return out;
  rest = rest.substr(0, port_colon);
  const size_t host_colon = rest.rfind(':');
  const std::string_view host = host_colon == rest.npos ? rest : rest.substr(host_colon + 1);
  if (!host.empty() && host != "0") out.host = SHOAL_TRY(parse_range(text, host, "the host's"));
  if (host_colon != rest.npos) {
    if (host_colon == 0) return refused(text, "the address before the host's port is missing");
    out.host_ip = SHOAL_TRY(parse_host_ip(text, rest.substr(0, host_colon)));
  }
  if (out.host && out.host->size() != out.port.size() && out.port.size() != 1) {
    return refused(text, "the host's range has " + std::to_string(out.host->size()) +
                             " ports and the endpoint's " + std::to_string(out.port.size()) +
                             ": as many are needed, or one of the endpoint's");
  }
  return out;
}

std::string PortBinding::str() const {
  const std::string ip = host_ip.is_v6() ? "[" + host_ip.str() + "]" : host_ip.str();
  return ip + ":" + host.str() + ":" + port.str() + "/" + std::string(to_string(protocol));
}

Result<PortBinding> parse_port_binding(std::string_view text) {
  const PortSpec spec = SHOAL_TRY(parse_port_spec(text));
  if (!spec.host_ip || !spec.host || spec.host->size() != spec.port.size()) {
    return refused(text, "address and ports are to be said, as many here as there");
  }
  return PortBinding{spec.protocol, *spec.host_ip, *spec.host, spec.port};
}

bool in_the_way(const PortBinding& a, const PortBinding& b) {
  return a.protocol == b.protocol && a.host_ip.family() == b.host_ip.family() &&
         (a.host_ip == b.host_ip || a.host_ip.is_unspecified() || b.host_ip.is_unspecified()) &&
         overlap(a.host, b.host);
}

Result<std::vector<PortRequest>> plan_ports(const std::vector<std::string>& specs,
                                            const PublishGround& ground) {
  std::vector<PortRequest> out;
  size_t ports = 0;
  for (const std::string& text : specs) {
    const PortSpec spec = SHOAL_TRY(parse_port_spec(text));
    if (ground.internal) {
      return refused(
          text, "network " + told(ground.network) + " is internal, nothing outside reaches it");
    }
    ports += spec.port.size();
    if (ports > kMostPortsOfEndpoint) {
      return resource_exhausted("an endpoint can have " + std::to_string(kMostPortsOfEndpoint) +
                                " ports published: those to " + told(text) + " are " +
                                std::to_string(ports));
    }
    std::vector<Ip> ips = SHOAL_TRY(host_ips(text, spec, ground));
    PortRequest request{spec.protocol, std::move(ips), spec.host, spec.port};
    if (request.host) {
      SHOAL_TRY(check_apart(out, request, text));
      out.push_back(std::move(request));
      continue;
    }
    // Any port for each: they need not be neighbours.
    for (uint32_t port = spec.port.first; port <= spec.port.last; ++port) {
      request.port = {static_cast<uint16_t>(port), static_cast<uint16_t>(port)};
      out.push_back(request);
    }
  }
  // What leaves no choice comes first, so that no choice is in its way.
  std::stable_partition(out.begin(), out.end(), [](const PortRequest& request) {
    return request.host && request.host->size() == request.port.size();
  });
  return out;
}

PortRequest request_of(const PortBinding& binding) {
  return {binding.protocol, {binding.host_ip}, binding.host, binding.port};
}

}  // namespace shoal::worker
