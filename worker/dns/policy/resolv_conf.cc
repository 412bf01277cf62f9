#include "worker/dns/policy/resolv_conf.h"

#include <algorithm>

namespace shoal::worker::dns {
namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kKeyword = "nameserver";
constexpr uint16_t kDnsPort = 53;

}  // namespace

std::vector<HostPort> upstreams_of_resolv_conf(std::string_view text) {
  std::vector<HostPort> upstreams;
  const Ip self = Ip::v4(0x7f00000b);
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    // The keyword starts the line (resolv.conf(5)); only blanks may be before it.
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    if (!line.starts_with(kKeyword)) continue;
    line.remove_prefix(kKeyword.size());
    const size_t start = line.find_first_not_of(kBlank);
    if (start == std::string_view::npos || start == 0) continue;
    line.remove_prefix(start);
    const Result<Ip> ip = Ip::parse(line.substr(0, line.find_first_of(" \t\r#;")));
    if (!ip || *ip == self || ip->is_unspecified()) continue;
    const HostPort upstream{*ip, kDnsPort};
    if (std::find(upstreams.begin(), upstreams.end(), upstream) == upstreams.end()) {
      upstreams.push_back(upstream);
    }
  }
  return upstreams;
}

}  // namespace shoal::worker::dns
