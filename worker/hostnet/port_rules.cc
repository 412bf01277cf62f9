#include "worker/hostnet/port_rules.h"

#include <netinet/in.h>

#include <algorithm>

#include "base/runtime/log.h"
#include "vxlan/filter/filter.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "host_plane";
// Each takes a walk over all that is tracked. Of a wider range, flows that were there before end
// with half a minute's silence.
constexpr int kPortsForgotten = 64;

bool needs_loopback(const PublishedPorts& ports) {
  return std::any_of(ports.forwards.begin(), ports.forwards.end(), [](const auto& forward) {
    return forward.host.is_v4() && (forward.host.is_unspecified() || forward.host.is_loopback());
  });
}

std::string table() { return std::string(vxlan::kPortsTable); }

}  // namespace

void PortRules::want(const EndpointId& id, PublishedPorts ports) {
  const auto found = wanted_.find(id);
  PublishedPorts old = found == wanted_.end() ? PublishedPorts() : found->second;
  if (old.forwards == ports.forwards && (old.forwards.empty() || old == ports)) return;
  if (needs_loopback(old) && --loopback_[old.bridge] == 0) loopback_.erase(old.bridge);
  if (needs_loopback(ports)) ++loopback_[ports.bridge];
  before_.try_emplace(id, std::move(old));
  if (ports.forwards.empty()) {
    wanted_.erase(id);
  } else {
    wanted_[id] = std::move(ports);
  }
}

Result<size_t> PortRules::apply(const vxlan::NamespaceFd& host, bool check, bool bridges_too) {
  size_t ops = 0;
  const bool changed = !before_.empty();
  if (known_ && check && !changed && !SHOAL_TRY(is_as_wanted(host))) {
    log::info(kComponent, "repair: the table inet {} was changed, it is put back", table());
    known_ = false;
  }
  if (!known_) {
    // A host that never published a port is left alone.
    const bool none = wanted_.empty() && SHOAL_TRY(vxlan::list_ports_table(host)).empty();
    if (!none) SHOAL_TRY(replace(host));
    ops += none ? 0 : 1;
  } else if (changed) {
    SHOAL_TRY(change(host));
    ++ops;
  }
  known_ = true;
  // What an earlier process led goes on.
  if (changed && adopted_) forget_connections(host);
  adopted_ = true;
  before_.clear();
  SHOAL_TRY(route_loopback(host, bridges_too));
  return ops;
}

std::vector<vxlan::PortForward> PortRules::forwards() const {
  std::vector<vxlan::PortForward> out;
  for (const auto& [id, ports] : wanted_) {
    out.insert(out.end(), ports.forwards.begin(), ports.forwards.end());
  }
  return out;
}

Status PortRules::replace(const vxlan::NamespaceFd& host) {
  known_ = false;
  listing_ = SHOAL_TRY(vxlan::replace_ports_table(host, forwards()));
  known_ = true;
  return ok_status();
}

Status PortRules::change(const vxlan::NamespaceFd& host) {
  if (listing_.empty() || wanted_.empty()) return replace(host);
  std::vector<vxlan::ElementChange> changes;
  const auto add = [&](const PublishedPorts& ports, bool adding) {
    for (const vxlan::PortForward& forward : ports.forwards) {
      for (vxlan::MapElement& element : vxlan::elements_of(forward)) {
        changes.push_back({adding, std::move(element)});
      }
    }
  };
  for (const auto& [id, before] : before_) {
    add(before, false);
    const auto now = wanted_.find(id);
    if (now != wanted_.end()) add(now->second, true);
  }
  const Status changed = SHOAL_TRY(socket(host))->change(table(), changes);
  if (changed.ok()) return changed;
  log::info(kComponent, "{}: the table inet {} is written anew", changed.error().message, table());
  return replace(host);
}

Result<bool> PortRules::is_as_wanted(const vxlan::NamespaceFd& host) {
  if (SHOAL_TRY(vxlan::list_ports_table(host)) != listing_) return false;
  if (listing_.empty()) return true;
  std::vector<vxlan::MapElement> wanted;
  for (const vxlan::PortForward& forward : forwards()) {
    std::vector<vxlan::MapElement> elements = vxlan::elements_of(forward);
    wanted.insert(wanted.end(), std::make_move_iterator(elements.begin()),
                  std::make_move_iterator(elements.end()));
  }
  std::vector<vxlan::MapElement> there;
  for (const std::string_view map : vxlan::kPortMaps) {
    auto elements = SHOAL_TRY(SHOAL_TRY(socket(host))->list(table(), map));
    there.insert(there.end(), std::make_move_iterator(elements.begin()),
                 std::make_move_iterator(elements.end()));
  }
  std::sort(wanted.begin(), wanted.end());
  std::sort(there.begin(), there.end());
  return wanted == there;
}

Result<vxlan::NetfilterSocket*> PortRules::socket(const vxlan::NamespaceFd& host) {
  if (!socket_) socket_.emplace(SHOAL_TRY(vxlan::NetfilterSocket::open(host)));
  return &*socket_;
}

void PortRules::forget_connections(const vxlan::NamespaceFd& host) {
  std::set<Ip> addresses;
  std::vector<vxlan::PortForward> begun;
  for (const auto& [id, before] : before_) {
    for (const vxlan::PortForward& forward : before.forwards) addresses.insert(forward.to);
    const auto now = wanted_.find(id);
    if (now == wanted_.end()) continue;
    for (const vxlan::PortForward& forward : now->second.forwards) {
      const bool narrow = forward.last - forward.first < kPortsForgotten;
      if (forward.protocol == IPPROTO_UDP && narrow) begun.push_back(forward);
    }
  }
  const Result<vxlan::NetfilterSocket*> opened = socket(host);
  if (!opened) return log::warn(kComponent, "{}", opened.error().message);
  const auto tell = [](const Status& done) {
    if (!done.ok() && done.error().code != ErrorClass::kNotFound) {
      log::warn(kComponent, "{}", done.error().message);
    }
  };
  for (const Ip& address : addresses) tell((*opened)->forget_answers(address));
  for (const vxlan::PortForward& forward : begun) {
    for (uint32_t port = forward.first; port <= forward.last; ++port) {
      tell((*opened)->forget_asked(forward.protocol, forward.host, static_cast<uint16_t>(port)));
    }
  }
}

Status PortRules::route_loopback(const vxlan::NamespaceFd& host, bool all) {
  std::vector<std::pair<std::string, std::string>> writes;
  for (const auto& [bridge, count] : loopback_) {
    if (all || !routing_.contains(bridge)) writes.emplace_back(bridge, "1");
  }
  for (const std::string& bridge : routing_) {
    if (!loopback_.contains(bridge)) writes.emplace_back(bridge, "0");
  }
  if (writes.empty()) return ok_status();
  SHOAL_TRY(vxlan::run_in_namespace(host, [&]() -> Status {
    for (const auto& [bridge, value] : writes) {
      // A bridge that is not there yet is told when it is.
      SHOAL_TRY(vxlan::write_sysctl("net/ipv4/conf/" + bridge + "/route_localnet", value, true));
    }
    return ok_status();
  }));
  for (const auto& [bridge, value] : writes) {
    if (value == "1") {
      routing_.insert(bridge);
    } else {
      routing_.erase(bridge);
    }
  }
  return ok_status();
}

}  // namespace shoal::worker
