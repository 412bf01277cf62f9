#include "vxlan/model/model.h"

#include <algorithm>

namespace shoal::vxlan {
namespace {

constexpr size_t kNamespaceIdLength = 12;

template <typename Match>
const Link* find_link(const std::vector<Link>& links, Match match) {
  const auto found = std::find_if(links.begin(), links.end(), match);
  return found == links.end() ? nullptr : &*found;
}

}  // namespace

std::string network_alias(const NetworkId& network) {
  return std::string(kAliasPrefix) + network.str();
}
std::string endpoint_alias(const EndpointId& endpoint) {
  return std::string(kAliasPrefix) + endpoint.str();
}
std::string port_name(const EndpointId& endpoint) {
  return std::string(kPortPrefix) + endpoint.str().substr(0, kPortIdLength);
}
std::string making_name(const EndpointId& endpoint) {
  return std::string(kMakingPrefix) + endpoint.str().substr(0, kPortIdLength);
}
std::string namespace_name(const NetworkId& network) {
  return "shoal-" + network.str().substr(0, kNamespaceIdLength);
}

const Link* NamespaceState::find(std::string_view name) const {
  return find_link(links, [&](const Link& link) { return link.name == name; });
}
const Link* NamespaceState::find_alias(std::string_view alias) const {
  return find_link(links, [&](const Link& link) { return link.alias == alias; });
}
const Link* NamespaceState::find_index(int index) const {
  return find_link(links, [&](const Link& link) { return link.index == index; });
}

bool carries_mark(const Link& link) {
  if (link.alias.starts_with(kAliasPrefix)) return true;
  const bool born_name =
      link.name.size() == kPortPrefix.size() + kPortIdLength &&
      (link.name.starts_with(kPortPrefix) || link.name.starts_with(kMakingPrefix));
  return link.kind == LinkKind::kVeth && born_name;
}

}  // namespace shoal::vxlan
