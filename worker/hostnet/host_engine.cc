#include "worker/hostnet/host_engine.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "vxlan/filter/filter.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/errno_error.h"
#include "vxlan/plan/plan.h"
#include "vxlan/plan/plan_host.h"
#include "worker/attach/plumb.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "host_plane";
// Listing the table costs a millisecond. Notifications tell when to; as one may be lost, it is
// listed in every so many full passes too.
constexpr int kRulesCheckEvery = 3;
// Notifications tell where to look; as one may be lost, full passes look into this many namespaces
// each besides: all of a small host's, those of one with 500 endpoints within half a minute.
constexpr size_t kLooksPerPass = 32;

bool needs_forwarding(const vxlan::DesiredHostNetwork& network, Family family) {
  return !network.rules.internal &&
         std::any_of(network.addresses.begin(), network.addresses.end(),
                     [&](const Prefix& address) { return address.ip.family() == family; });
}

}  // namespace

HostEngine::HostEngine(const HostPlaneOptions& options, vxlan::NamespaceFd host,
                       vxlan::NetlinkSocket socket, vxlan::NetlinkSocket remover, UniqueFd probe,
                       vxlan::NetlinkMonitor monitor, WatchSet watches)
    : options_(options),
      host_(std::move(host)),
      socket_(std::move(socket)),
      remover_(std::move(remover)),
      probe_(std::move(probe)),
      monitor_(std::move(monitor)),
      watches_(std::move(watches)),
      forwarding_v4_(options.run_dir, Family::kV4, options.may_forward),
      forwarding_v6_(options.run_dir, Family::kV6, options.may_forward) {}

Result<std::unique_ptr<HostEngine>> HostEngine::open(const HostPlaneOptions& options) {
  SHOAL_TRY(make_directories(options.run_dir));
  vxlan::NamespaceFd host =
      SHOAL_TRY(options.host_namespace.empty() ? vxlan::NamespaceFd::open_own()
                                               : vxlan::NamespaceFd::open(options.host_namespace));
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(host));
  vxlan::NetlinkSocket remover = SHOAL_TRY(vxlan::NetlinkSocket::open(host));
  UniqueFd probe;
  SHOAL_TRY(vxlan::run_in_namespace(host, [&]() -> Status {
    probe = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return probe.valid() ? ok_status() : vxlan::errno_error(errno, "open a socket");
  }));
  vxlan::NetlinkMonitor monitor = SHOAL_TRY(
      vxlan::NetlinkMonitor::open(host, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}));
  WatchSet watches = SHOAL_TRY(WatchSet::make());
  std::unique_ptr<HostEngine> engine(new HostEngine(options, std::move(host), std::move(socket),
                                                    std::move(remover), std::move(probe),
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

HostSight::HostSight(vxlan::NamespaceState state) : state_(std::move(state)) {
  for (const vxlan::Link& link : state_.links) links_.emplace(link.name, &link);
}

vxlan::NamespaceState HostSight::port(const std::string& name) const {
  vxlan::NamespaceState out;
  const auto found = links_.find(name);
  if (found != links_.end()) out.links.push_back(*found->second);
  return out;
}

void HostEngine::set_state(HostState state) {
  note_changes(state_ ? state_->endpoints : HostEndpoints(), state.endpoints);
  state_ = std::move(state);
  for (const EndpointId& id : touched_) {
    const HostEndpoint* const endpoint = state_->endpoint(id);
    port_rules_.want(id, endpoint == nullptr
                             ? PublishedPorts()
                             : PublishedPorts{endpoint->desired.port.bridge, endpoint->ports});
  }
  endpoints_.review_gone([this](const EndpointId& id) -> const NamespaceRef* {
    const HostEndpoint* const endpoint = state_->endpoint(id);
    return endpoint == nullptr ? nullptr : &endpoint->space;
  });
}

void HostEngine::note_changes(const HostEndpoints& before, const HostEndpoints& after) {
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    if (old != before.end() && now != after.end() && *old == *now) {
      ++old;
      ++now;
    } else if (now == after.end() ||
               (old != before.end() && (*old)->desired.id < (*now)->desired.id)) {
      touched_.insert((*old++)->desired.id);
    } else {
      if (old != before.end() && (*old)->desired.id == (*now)->desired.id) ++old;
      touched_.insert((*now++)->desired.id);
    }
  }
}

HostPass HostEngine::pass(Look how, bool repairing) {
  const Instant start = SystemClock().now();
  const bool everywhere = how == Look::kEverywhere;
  HostPass result;
  if (!state_) return result;
  log_.begin(repairing);
  notice_gone(everywhere);
  for (const auto& [id, gone] : endpoints_.gone()) {
    result.endpoint_errors[id] = not_found(gone.reason);
  }
  take_out_departed(result);
  forget_undesired();
  // What keeps networks apart stands before they do.
  const bool changed =
      applied_ == nullptr || (applied_ != state_->networks && *applied_ != *state_->networks);
  if (everywhere || changed) decide_forwarding(result);
  pass_rules(everywhere, result);
  const bool look = everywhere || changed || (how == Look::kStirred && stirred_);
  const std::optional<HostSight> sight = pass_networks(look, result);
  const HostSight* const seen = sight ? &*sight : nullptr;
  pass_ports(seen != nullptr, result);
  for (const EndpointId& id : work_of(how, seen)) {
    const HostEndpoint& wanted = *state_->endpoint(id);
    if (is_settled(wanted, how, seen)) {
      result.attached[id] = {endpoints_.find(id)->ifname, wanted.desired.mtu};
      touched_.erase(id);
      continue;
    }
    if (repairing && hurried_ && hurried_()) {
      result.interrupted = true;
      return result;
    }
    touched_.insert(id);
    turn_.erase(id);
    const Status attached = pass_endpoint(wanted, seen, result);
    if (attached.ok()) {
      touched_.erase(id);
    } else {
      result.endpoint_errors.emplace(id, attached.error());
    }
  }
  if (everywhere) turn_.clear();
  if (how != Look::kBelieve) {
    stirred_ = false;
    endpoints_.settle();
  }
  result.elapsed = SystemClock().now() - start;
  return result;
}

// A look into a namespace costs a millisecond and more.
void HostEngine::take_turn() {
  const auto& all = state_->endpoints;
  if (!turn_.empty() || all.empty()) return;
  auto at = std::upper_bound(
      all.begin(), all.end(), turn_end_,
      [](const EndpointId& end, const auto& endpoint) { return end < endpoint->desired.id; });
  for (size_t i = 0; i < std::min(kLooksPerPass, all.size()); ++i, ++at) {
    if (at == all.end()) at = all.begin();
    turn_end_ = (*at)->desired.id;
    turn_.insert(turn_end_);
  }
}

std::set<EndpointId> HostEngine::work_of(Look how, const HostSight* seen) {
  std::set<EndpointId> work;
  const auto add = [&](const EndpointId& id) {
    if (!endpoints_.gone().contains(id) && state_->endpoint(id) != nullptr) work.insert(id);
  };
  for (const EndpointId& id : touched_) add(id);
  if (how != Look::kBelieve) {
    for (const EndpointId& id : endpoints_.stirred()) add(id);
  }
  if (how == Look::kEverywhere) {
    take_turn();
    for (const EndpointId& id : turn_) add(id);
  }
  if (seen == nullptr) return work;
  for (const auto& endpoint : state_->endpoints) {
    const EndpointId& id = endpoint->desired.id;
    // Its own namespace tells by itself; here is the other side.
    const EndpointHandle* const handle = endpoints_.find(id);
    if (handle == nullptr || handle->port != seen->port(vxlan::port_name(id))) add(id);
  }
  return work;
}

bool HostEngine::is_settled(const HostEndpoint& wanted, Look how, const HostSight* seen) const {
  const EndpointId& id = wanted.desired.id;
  const EndpointHandle* const handle = endpoints_.find(id);
  if (how == Look::kEverywhere || handle == nullptr) return false;
  if (how == Look::kStirred && endpoints_.stirred().contains(id)) return false;
  return handle->applied == wanted.desired && handle->dns_port == wanted.dns_port &&
         (seen == nullptr || handle->port == seen->port(vxlan::port_name(id)));
}

Status HostEngine::run(const vxlan::Plan& plan, const vxlan::Places& places,
                       const std::string& where, HostPass& result) {
  if (plan.empty()) return ok_status();
  result.ops += plan.size();
  log_.add(where, plan);
  return vxlan::apply(plan, places);
}

void HostEngine::decide_forwarding(HostPass& result) {
  for (auto* forwarding : {&forwarding_v4_, &forwarding_v6_}) {
    const Family family = forwarding == &forwarding_v4_ ? Family::kV4 : Family::kV6;
    const bool needed =
        std::any_of(state_->networks->begin(), state_->networks->end(),
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
  for (const auto& network : *state_->networks) wanted.bridges.push_back(network.rules);
  wanted.guard_v4 = forwarding_v4_.is_ours();
  wanted.guard_v6 = forwarding_v6_.is_ours();
  const bool same = table_ == wanted;
  const bool due = rules_changed_ || (look && ++rules_unchecked_ >= kRulesCheckEvery);
  if (same && !due) return ok_status();
  rules_unchecked_ = 0;
  rules_changed_ = false;
  ports_due_ = ports_due_ || due;
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
  SHOAL_TRY(vxlan::keep_user_table(host_, !wanted.bridges.empty()));
  listing_ = SHOAL_TRY(vxlan::replace_host_table(host_, wanted));
  ++result.ops;
  // Our own change is no reason to look again.
  if (rules_) rules_->drain();
  table_ = wanted;
  return ok_status();
}

void HostEngine::pass_ports(bool bridges_too, HostPass& result) {
  const Result<size_t> applied = port_rules_.apply(host_, ports_due_, bridges_too);
  if (applied.ok()) {
    result.ops += *applied;
    ports_due_ = false;
    // As in ensure_table().
    if (*applied > 0 && rules_) rules_->drain();
    return;
  }
  result.problems.push_back(applied.error());
  for (const auto& [id, before] : port_rules_.pending()) {
    if (state_->endpoint(id) != nullptr) result.endpoint_errors.emplace(id, applied.error());
  }
}

std::optional<HostSight> HostEngine::pass_networks(bool look, HostPass& result) {
  if (!look) return {};
  applied_.reset();
  Result<vxlan::NamespaceState> seen = vxlan::dump_marked(socket_);
  if (!seen) {
    result.problems.push_back(seen.error());
    return {};
  }
  std::set<std::string> kept;
  for (const auto& network : *state_->networks) kept.insert(network.bridge.name);
  for (const auto& endpoint : state_->endpoints) {
    kept.insert(vxlan::port_name(endpoint->desired.id));
  }
  Status done = run(vxlan::plan_host_leftovers(kept, *seen), places(), "host", result);
  if (!done.ok()) result.problems.push_back(done.error());
  for (const auto& network : *state_->networks) {
    const Result<vxlan::Plan> plan = vxlan::plan_host_network(network, *seen);
    done = plan.ok() ? run(*plan, places(), "network " + network.network.str(), result)
                     : Status(plan.error());
    if (!done.ok()) result.network_errors.emplace(network.network, done.error());
  }
  if (result.network_errors.empty()) applied_ = state_->networks;
  return HostSight(std::move(*seen));
}

Result<vxlan::NamespaceState> HostEngine::port_of(const EndpointId& id, const HostSight* seen) {
  const std::string port = vxlan::port_name(id);
  if (seen != nullptr) return seen->port(port);
  vxlan::NamespaceState state;
  Result<vxlan::Link> link = vxlan::get_link(socket_, port);
  if (link.ok()) {
    state.links.push_back(std::move(*link));
  } else if (link.error().code != ErrorClass::kNotFound) {
    return link.error();
  }
  return state;
}

Status HostEngine::pass_endpoint(const HostEndpoint& wanted, const HostSight* seen,
                                 HostPass& result) {
  const EndpointId& id = wanted.desired.id;
  const auto broken = result.network_errors.find(wanted.desired.network);
  if (broken != result.network_errors.end()) return broken->second;
  Result<EndpointHandle*> ensured = endpoints_.ensure(id, wanted.space);
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
  if (wanted.dns_port != 0) dns_.settle(handle.opened.fd.identity());
  if (SHOAL_TRY(lead_dns(wanted.dns_port, seen != nullptr, handle))) {
    ++result.ops;
    log_.add(where, "lead DNS");
  }
  handle.applied = wanted.desired;
  if (seen != nullptr && !changed) handle.port = std::move(port);
  result.attached[id] = {handle.ifname, wanted.desired.mtu};
  return ok_status();
}

}  // namespace shoal::worker
