#include "vxlan/filter/host_table.h"

#include <set>

namespace shoal::vxlan {
namespace {

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

// Sorted and without repetitions: the same table is the same text.
std::string set(std::string_view name, std::string_view type, const std::set<std::string>& items) {
  std::string text = "  set " + std::string(name) + " {\n    " + std::string(type) + "\n";
  std::string list;
  for (const std::string& item : items) list += (list.empty() ? "" : ", ") + item;
  if (!list.empty()) text += "    elements = { " + list + " }\n";
  return text + "  }\n";
}

std::string guard(std::string_view family) {
  return "    meta nfproto " + std::string(family) +
         " iifname != @bridges oifname != @bridges drop\n";
}

std::string forward_chain(const HostTable& table) {
  return "  chain forward {\n"
         "    type filter hook forward priority filter; policy accept;\n"
         "    iifname . oifname @within accept\n"
         "    iifname @internal drop\n"
         "    oifname @internal drop\n" +
         (table.guard_v4 ? guard("ipv4") : "") + (table.guard_v6 ? guard("ipv6") : "") +
         "    ct state established,related accept\n"
         "    iifname @bridges oifname @bridges drop\n"
         "    oifname @bridges drop\n"
         "  }\n";
}

}  // namespace

std::string render_host_table(const HostTable& table) {
  const std::string name = "table inet " + std::string(kHostTable);
  // Named first, so that removing it is no error when it is not there.
  const std::string removal = name + "\ndelete " + name + "\n";
  if (table.bridges.empty()) return removal;
  std::set<std::string> bridges;
  std::set<std::string> internal;
  std::set<std::string> within;
  std::set<std::string> masquerade_v4;
  std::set<std::string> masquerade_v6;
  for (const BridgeRules& rules : table.bridges) {
    const std::string bridge = quoted(rules.bridge);
    bridges.insert(bridge);
    if (rules.internal) internal.insert(bridge);
    within.insert(bridge + " . " + bridge);
    for (const Prefix& source : rules.masquerade) {
      (source.ip.is_v4() ? masquerade_v4 : masquerade_v6).insert(source.network().str());
    }
  }
  return removal + name + " {\n" + set("bridges", "type ifname", bridges) +
         set("internal", "type ifname", internal) + set("within", "type ifname . ifname", within) +
         set("masquerade4", "type ipv4_addr; flags interval", masquerade_v4) +
         set("masquerade6", "type ipv6_addr; flags interval", masquerade_v6) +
         forward_chain(table) +
         "  chain postrouting {\n"
         "    type nat hook postrouting priority srcnat; policy accept;\n"
         "    ip saddr @masquerade4 oifname != @bridges masquerade\n"
         "    ip6 saddr @masquerade6 oifname != @bridges masquerade\n"
         "  }\n}\n";
}

}  // namespace shoal::vxlan
