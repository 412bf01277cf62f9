#include "worker/hostnet/host_engine.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "vxlan/filter/filter.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/plan/plan.h"
#include "vxlan/plan/plan_host.h"
#include "worker/attach/plumb.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "host_plane";
// A wiped host has many things to repair; one line each would drown the log.
constexpr size_t kLoggedRepairs = 20;
// Listing the table costs a millisecond. Notifications tell when to; as one may be lost, it is
// listed in every so many full passes too.
constexpr int kRulesCheckEvery = 3;

bool needs_forwarding(const vxlan::DesiredHostNetwork& network, Family family) {
  return !network.rules.internal &&
         std::any_of(network.addresses.begin(), network.addresses.end(),
                     [&](const Prefix& address) { return address.ip.family() == family; });
}

}  // namespace

HostEngine::HostEngine(const HostPlaneOptions& options, vxlan::NamespaceFd host,
                       vxlan::NetlinkSocket socket, vxlan::NetlinkMonitor monitor, WatchSet watches)
    : options_(options),
      host_(std::move(host)),
      socket_(std::move(socket)),
      monitor_(std::move(monitor)),
      watches_(std::move(watches)),
      forwarding_v4_(options.run_dir, Family::kV4),
      forwarding_v6_(options.run_dir, Family::kV6) {}

Result<std::unique_ptr<HostEngine>> HostEngine::open(const HostPlaneOptions& options) {
  SHOAL_TRY(make_directories(options.run_dir));
  vxlan::NamespaceFd host =
      SHOAL_TRY(options.host_namespace.empty() ? vxlan::NamespaceFd::open_own()
                                               : vxlan::NamespaceFd::open(options.host_namespace));
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(host));
  vxlan::NetlinkMonitor monitor = SHOAL_TRY(
      vxlan::NetlinkMonitor::open(host, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}));
  WatchSet watches = SHOAL_TRY(WatchSet::make());
  std::unique_ptr<HostEngine> engine(new HostEngine(options, std::move(host), std::move(socket),
                                                    std::move(monitor), std::move(watches)));
  engine->token_ = SHOAL_TRY(engine->watches_.add(engine->monitor_.fd()));
  SHOAL_TRY(vxlan::run_in_namespace(engine->host_, [&]() -> Status {
    Result<vxlan::NetlinkMonitor> rules = vxlan::NetlinkMonitor::open_rules_here();
    if (rules.ok()) engine->rules_.emplace(std::move(*rules));
    return ok_status();
  }));
  if (engine->rules_) {
    engine->rules_token_ = SHOAL_TRY(engine->watches_.add(engine->rules_->fd()));
  }
  return engine;
}

void HostEngine::set_state(HostState state) {
  state_ = std::move(state);
  wanted_.clear();
  for (const HostEndpoint& endpoint : state_->endpoints) {
    wanted_.emplace(endpoint.desired.id, endpoint);
  }
  // An endpoint that was given another namespace is not gone any more.
  std::erase_if(gone_, [&](const auto& gone) {
    const auto found = wanted_.find(gone.first);
    return found == wanted_.end() || found->second.space != gone.second.ref;
  });
}

HostPass HostEngine::pass(Look how, bool repairing) {
  const Instant start = SystemClock().now();
  const bool everywhere = how == Look::kEverywhere;
  HostPass result;
  if (!state_) return result;
  repairing_ = repairing;
  logged_ = 0;
  notice_gone(everywhere);
  for (const auto& [id, gone] : gone_) result.endpoint_errors[id] = not_found(gone.reason);
  take_out_departed(result);
  forget_undesired(result);
  // What keeps networks apart stands before they do.
  const bool changed = applied_ != state_->networks;
  if (everywhere || changed) decide_forwarding(result);
  pass_rules(everywhere, result);
  const bool look = everywhere || changed || (how == Look::kStirred && stirred_);
  const std::optional<vxlan::NamespaceState> seen = pass_networks(look, result);
  for (const HostEndpoint& endpoint : state_->endpoints) {
    const EndpointId& id = endpoint.desired.id;
    if (gone_.contains(id)) continue;
    const auto handle = endpoints_.find(id);
    bool settled = !everywhere && handle != endpoints_.end() &&
                   handle->second.applied == endpoint.desired &&
                   handle->second.dns_port == endpoint.dns_port &&
                   !(how == Look::kStirred && stirred_endpoints_.contains(id));
    // Its own namespace tells by itself; here is the other side.
    if (settled && seen) settled = handle->second.port == of_port(*seen, vxlan::port_name(id));
    if (settled) {
      result.attached[id] = {handle->second.ifname, endpoint.desired.mtu};
      continue;
    }
    if (repairing_ && hurried_ && hurried_()) {
      result.interrupted = true;
      return result;
    }
    const Status attached = pass_endpoint(endpoint, seen ? &*seen : nullptr, result);
    if (!attached.ok()) result.endpoint_errors.emplace(id, attached.error());
  }
  if (how != Look::kBelieve) {
    stirred_ = false;
    stirred_endpoints_.clear();
  }
  result.elapsed = SystemClock().now() - start;
  return result;
}

Status HostEngine::run(const vxlan::Plan& plan, const vxlan::Places& places,
                       const std::string& where, HostPass& result) {
  if (plan.empty()) return ok_status();
  result.ops += plan.size();
  for (const vxlan::Op& op : plan) {
    if (!repairing_) {
      log::debug(kComponent, "{}: {}", where, vxlan::explain(op));
    } else if (logged_++ < kLoggedRepairs) {
      log::info(kComponent, "repair {}: {}", where, vxlan::explain(op));
    }
  }
  return vxlan::apply(plan, places);
}

void HostEngine::decide_forwarding(HostPass& result) {
  for (auto* forwarding : {&forwarding_v4_, &forwarding_v6_}) {
    const Family family = forwarding == &forwarding_v4_ ? Family::kV4 : Family::kV6;
    const bool needed =
        std::any_of(state_->networks.begin(), state_->networks.end(),
                    [&](const auto& network) { return needs_forwarding(network, family); });
    const Status decided = forwarding->decide(host_, needed);
    if (!decided.ok()) result.problems.push_back(decided.error().wrap("forwarding"));
  }
}

void HostEngine::pass_rules(bool look, HostPass& result) {
  const auto apply = [&]() -> Status {
    for (auto* forwarding : {&forwarding_v4_, &forwarding_v6_}) {
      SHOAL_TRY(forwarding->turn_off(host_));
    }
    SHOAL_TRY(ensure_table(look, result));
    for (auto* forwarding : {&forwarding_v4_, &forwarding_v6_}) {
      SHOAL_TRY(forwarding->turn_on(host_));
    }
    return ok_status();
  };
  const Status done = apply();
  if (!done.ok()) result.problems.push_back(done.error());
}

Status HostEngine::ensure_table(bool look, HostPass& result) {
  vxlan::HostTable wanted;
  for (const auto& network : state_->networks) wanted.bridges.push_back(network.rules);
  wanted.guard_v4 = forwarding_v4_.is_ours();
  wanted.guard_v6 = forwarding_v6_.is_ours();
  const bool same = table_ == wanted;
  const bool due = rules_changed_ || (look && ++rules_unchecked_ >= kRulesCheckEvery);
  if (same && !due) return ok_status();
  rules_unchecked_ = 0;
  rules_changed_ = false;
  // A host that never had a bridge of ours is left alone.
  if (same || (!table_ && wanted.bridges.empty())) {
    const std::string listed = SHOAL_TRY(vxlan::list_host_table(host_));
    if (listed == (same ? listing_ : "")) {
      table_ = wanted;
      return ok_status();
    }
    if (same) log::info(kComponent, "repair: the table inet shoal was changed, it is put back");
  }
  table_.reset();
  listing_ = SHOAL_TRY(vxlan::replace_host_table(host_, wanted));
  ++result.ops;
  // Our own change is no reason to look again.
  if (rules_) rules_->drain();
  table_ = wanted;
  return ok_status();
}

std::optional<vxlan::NamespaceState> HostEngine::pass_networks(bool look, HostPass& result) {
  if (!look) return {};
  applied_.reset();
  Result<vxlan::NamespaceState> seen = vxlan::dump_marked(socket_);
  if (!seen) {
    result.problems.push_back(seen.error());
    return {};
  }
  std::set<std::string> kept;
  for (const auto& network : state_->networks) kept.insert(network.bridge.name);
  for (const auto& endpoint : state_->endpoints) {
    kept.insert(vxlan::port_name(endpoint.desired.id));
  }
  Status done = run(vxlan::plan_host_leftovers(kept, *seen), places(), "host", result);
  if (!done.ok()) result.problems.push_back(done.error());
  for (const auto& network : state_->networks) {
    const Result<vxlan::Plan> plan = vxlan::plan_host_network(network, *seen);
    done = plan.ok() ? run(*plan, places(), "network " + network.network.str(), result)
                     : Status(plan.error());
    if (!done.ok()) result.network_errors.emplace(network.network, done.error());
  }
  if (result.network_errors.empty()) applied_ = state_->networks;
  return std::move(*seen);
}

Result<vxlan::NamespaceState> HostEngine::port_of(const EndpointId& id,
                                                  const vxlan::NamespaceState* seen) {
  const std::string port = vxlan::port_name(id);
  if (seen != nullptr) return of_port(*seen, port);
  vxlan::NamespaceState state;
  Result<vxlan::Link> link = vxlan::get_link(socket_, port);
  if (link.ok()) {
    state.links.push_back(std::move(*link));
  } else if (link.error().code != ErrorClass::kNotFound) {
    return link.error();
  }
  return state;
}

Result<EndpointHandle*> HostEngine::ensure_endpoint(const HostEndpoint& wanted) {
  const auto found = endpoints_.find(wanted.desired.id);
  if (found != endpoints_.end()) return &found->second;
  EndpointHandle handle = SHOAL_TRY(EndpointHandle::open(wanted.space));
  handle.token = SHOAL_TRY(watches_.add(handle.monitor.fd()));
  if (handle.rules) handle.rules_token = SHOAL_TRY(watches_.add(handle.rules->fd()));
  if (handle.process.valid()) {
    handle.process_token = SHOAL_TRY(watches_.add(handle.process.get(), WatchSet::Tell::kOnce));
  }
  return &endpoints_.emplace(wanted.desired.id, std::move(handle)).first->second;
}

Status HostEngine::pass_endpoint(const HostEndpoint& wanted, const vxlan::NamespaceState* seen,
                                 HostPass& result) {
  const EndpointId& id = wanted.desired.id;
  const auto broken = result.network_errors.find(wanted.desired.network);
  if (broken != result.network_errors.end()) return broken->second;
  Result<EndpointHandle*> ensured = ensure_endpoint(wanted);
  if (!ensured) {
    if (ensured.error().code == ErrorClass::kNotFound) report_gone(id, ensured.error().message);
    return ensured.error();
  }
  EndpointHandle& handle = **ensured;
  if (handle.opened.fd.identity() == host_.identity()) {
    return invalid_argument("the endpoint's namespace is this host's own");
  }
  handle.applied.reset();
  handle.port.reset();
  vxlan::NamespaceState port = SHOAL_TRY(port_of(id, seen));
  const std::string where = "endpoint " + id.str();
  const Plumbing plumbing{places(), [&](const vxlan::Plan& plan, const vxlan::Places& all) {
                            return run(plan, all, where, result);
                          }};
  const bool changed = SHOAL_TRY(plumb(wanted.desired, port, plumbing, handle));
  if (SHOAL_TRY(lead_dns(wanted.dns_port, seen != nullptr, handle))) {
    ++result.ops;
    if (repairing_) log::info(kComponent, "repair {}: lead DNS", where);
  }
  handle.applied = wanted.desired;
  if (seen != nullptr && !changed) handle.port = std::move(port);
  result.attached[id] = {handle.ifname, wanted.desired.mtu};
  return ok_status();
}

}  // namespace shoal::worker
