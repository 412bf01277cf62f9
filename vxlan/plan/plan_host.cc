#include "vxlan/plan/plan_host.h"

#include <algorithm>

#include "vxlan/plan/link_change.h"

namespace shoal::vxlan {
namespace {

template <typename Action>
void add(Plan& plan, Action action) {
  plan.push_back({Place::kOverlay, std::move(action)});
}

void make_bridge(const DesiredHostNetwork& desired, const NamespaceState& host, Plan& plan) {
  const Link& bridge = desired.bridge;
  Link born = bridge;
  born.name = bridge_name(desired.network);
  const Link* const unfinished = host.find(born.name);
  if (unfinished == nullptr) add(plan, CreateBridge{born});
  SetLink change{.name = born.name, .alias = bridge.alias, .mac = bridge.mac, .mtu = bridge.mtu};
  if (born.name != bridge.name) change.rename = bridge.name;
  change.inet6 = bridge.inet6;
  add(plan, std::move(change));
}

// Or its alias was taken away: nobody else draws that name.
bool is_unfinished(const DesiredHostNetwork& desired, const Link& link) {
  return link.kind == LinkKind::kBridge && link.alias.empty() &&
         link.name == bridge_name(desired.network);
}

}  // namespace

Result<Plan> plan_host_network(const DesiredHostNetwork& desired, const NamespaceState& host) {
  Plan plan;
  const Link& bridge = desired.bridge;
  const Link* own = host.find_alias(bridge.alias);
  // Renamed by somebody, or another kind of link with our alias: made anew.
  if (own != nullptr && (own->name != bridge.name || own->kind != LinkKind::kBridge)) {
    add(plan, DeleteLink{own->name, own->index});
    own = nullptr;
  }
  const Link* const named = host.find(bridge.name);
  const bool removed = named != nullptr && named->alias == bridge.alias && own == nullptr;
  if (named != nullptr && named != own && !removed && !is_unfinished(desired, *named)) {
    return already_exists("interface " + bridge.name +
                          " of this host exists already and is not that network's: remove it, or "
                          "give the network another with -o com.docker.network.bridge.name=NAME");
  }
  if (own == nullptr) {
    make_bridge(desired, host, plan);
  } else if (SetLink change = link_change(bridge, *own); !change.empty()) {
    add(plan, std::move(change));
  }
  for (const Prefix& prefix : desired.addresses) {
    const Address address{bridge.name, prefix};
    const auto& there = host.addresses;
    const bool kept =
        own != nullptr && std::find(there.begin(), there.end(), address) != there.end();
    if (!kept) add(plan, PutAddress{address});
  }
  if (own == nullptr || !own->up) add(plan, SetLink{.name = bridge.name, .up = true});
  return plan;
}

Plan plan_host_leftovers(const std::set<std::string>& wanted, const NamespaceState& host) {
  Plan plan;
  for (const Link& link : host.links) {
    if (!carries_mark(link) || wanted.contains(link.name)) continue;
    add(plan, DeleteLink{link.name, link.index});
  }
  return plan;
}

}  // namespace shoal::vxlan
