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
         "    oifname @bridges ct status dnat accept\n"
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
  std::set<std::string> home_v4;
  std::set<std::string> home_v6;
  for (const BridgeRules& rules : table.bridges) {
    const std::string bridge = quoted(rules.bridge);
    bridges.insert(bridge);
    if (rules.internal) internal.insert(bridge);
    within.insert(bridge + " . " + bridge);
    for (const Prefix& subnet : rules.subnets) {
      (subnet.ip.is_v4() ? home_v4 : home_v6).insert(bridge + " . " + subnet.network().str());
    }
    for (const Prefix& source : rules.masquerade) {
      (source.ip.is_v4() ? masquerade_v4 : masquerade_v6).insert(source.network().str());
    }
  }
  return removal + name + " {\n" + set("bridges", "type ifname", bridges) +
         set("internal", "type ifname", internal) + set("within", "type ifname . ifname", within) +
         set("masquerade4", "type ipv4_addr; flags interval", masquerade_v4) +
         set("masquerade6", "type ipv6_addr; flags interval", masquerade_v6) +
         set("home4", "type ifname . ipv4_addr; flags interval", home_v4) +
         set("home6", "type ifname . ipv6_addr; flags interval", home_v6) + forward_chain(table) +
         "  chain loopback {\n"
         "    type filter hook prerouting priority raw; policy accept;\n"
         "    iifname @bridges ip saddr 127.0.0.0/8 drop\n"
         "    iifname @bridges ip daddr 127.0.0.0/8 drop\n"
         "  }\n"
         "  chain postrouting {\n"
         "    type nat hook postrouting priority srcnat; policy accept;\n"
         "    ct status dnat oifname . ip saddr @home4 masquerade\n"
         "    ct status dnat oifname . ip6 saddr @home6 masquerade\n"
         "    ct status dnat oifname @bridges fib saddr type local masquerade\n"
         "    ip saddr @masquerade4 oifname != @bridges masquerade\n"
         "    ip6 saddr @masquerade6 oifname != @bridges masquerade\n"
         "  }\n}\n";
}

std::string render_user_table() {
  return "table inet " + std::string(kUserTable) +
         " {\n"
         "  chain forward {\n"
         "    type filter hook forward priority -1; policy accept;\n"
         "  }\n}\n";
}

std::string render_user_removal() {
  const std::string table = "inet " + std::string(kUserTable);
  return "delete chain " + table + " forward\ndelete table " + table + "\n";
}

bool is_untouched_user_table(std::string_view listing) {
  const auto bare = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c != ' ' && c != '\t' && c != '\n') out += c;
    }
    return out;
  };
  return bare(listing) == bare(render_user_table());
}

}  // namespace shoal::vxlan
