// Engine: one overlay and one endpoint at a time.
#include <algorithm>

#include "base/runtime/log.h"
#include "vxlan/netlink/announce.h"
#include "vxlan/netlink/dump.h"
#include "worker/attach/engine.h"
#include "worker/attach/plumb.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "data_plane";
// More new neighbours at once are a start or a join, where nobody knows an old MAC; announcing them
// would be a burst of broadcasts at every port.
constexpr size_t kMostAnnounced = 256;

bool has_endpoint(const vxlan::DesiredOverlay& overlay, const EndpointId& id) {
  return std::any_of(overlay.endpoints.begin(), overlay.endpoints.end(),
                     [&](const auto& endpoint) { return endpoint.id == id; });
}

void tell(const Status& sent) {
  if (!sent.ok()) log::debug(kComponent, "{}", sent.error().message);
}

}  // namespace

Status Engine::run(const vxlan::Plan& plan, const vxlan::Places& places, const std::string& where,
                   PassResult& result) {
  if (plan.empty()) return ok_status();
  result.ops += plan.size();
  log_.add(where, plan);
  return vxlan::apply(plan, places);
}

Result<OverlayHandle*> Engine::ensure_overlay(const NetworkId& network) {
  const std::string path = path_of(network);
  const auto found = overlays_.find(network);
  if (found == overlays_.end()) {
    OverlayHandle handle = SHOAL_TRY(OverlayHandle::open(path));
    handle.token = SHOAL_TRY(watches_.add(handle.monitor.fd()));
    overlay_tokens_.emplace(handle.token, network);
    return &overlays_.emplace(network, std::move(handle)).first->second;
  }
  // Somebody unmounted the file: the namespace lives as long as we hold it, and is put back there.
  const auto there = vxlan::identify(path);
  if (!there.ok() || *there != found->second.space.identity()) {
    log::info(kComponent, "repair network {}: mount its namespace at {} again", network.str(),
              path);
    SHOAL_TRY(vxlan::delete_namespace(path));
    SHOAL_TRY(vxlan::persist_namespace(found->second.space, path));
  }
  return &found->second;
}

Result<vxlan::NamespaceState> Engine::believe(OverlayHandle& overlay, bool space) const {
  vxlan::NamespaceState seen;
  if (space) seen = overlay.applied->space;
  seen.links = SHOAL_TRY(vxlan::dump_links(overlay.socket));
  for (const vxlan::DesiredEndpoint& endpoint : overlay.applied->endpoints) {
    // One that failed half-way may lack its entry; it is put again.
    const EndpointHandle* const handle = endpoints_.find(endpoint.id);
    if (handle == nullptr || !handle->applied) continue;
    std::string port = vxlan::port_name(endpoint.id);
    const vxlan::Link* const link = seen.find(port);
    if (link != nullptr && link->port) seen.fdb.push_back({std::move(port), endpoint.mac, {}});
  }
  return seen;
}

bool Engine::is_settled(const vxlan::DesiredEndpoint& wanted) const {
  const EndpointHandle* const handle = endpoints_.find(wanted.id);
  return handle != nullptr && handle->applied == wanted &&
         handle->dns_port == local_.at(wanted.id).dns_port;
}

vxlan::Plan Engine::plan_space(const vxlan::DesiredOverlay& wanted, const OverlayHandle& overlay,
                               const vxlan::NamespaceState& seen, bool look) const {
  if (look || overlay.applied->space != wanted.space) {
    return vxlan::plan_overlay(wanted, seen, complete_ ? vxlan::Prune::kYes : vxlan::Prune::kNo);
  }
  vxlan::Plan plan;
  if (!complete_) return plan;
  for (const vxlan::DesiredEndpoint& old : overlay.applied->endpoints) {
    if (has_endpoint(wanted, old.id)) continue;
    vxlan::Plan removal = vxlan::plan_remove_endpoint(old.id, seen);
    std::move(removal.begin(), removal.end(), std::back_inserter(plan));
  }
  return plan;
}

Status Engine::pass_overlay(const vxlan::DesiredOverlay& wanted, Look how, PassResult& result) {
  const auto context = [&](const Error& error) {
    return error.wrap("network " + wanted.network.str());
  };
  Result<OverlayHandle*> ensured = ensure_overlay(wanted.network);
  if (!ensured) return context(ensured.error());
  OverlayHandle& overlay = **ensured;
  const bool stirred = how == Look::kStirred && stirred_overlays_.contains(wanted.network);
  const bool all = how == Look::kEverywhere || !overlay.applied;
  const bool look = all || stirred;
  std::vector<const vxlan::DesiredEndpoint*> work;
  std::vector<const vxlan::DesiredEndpoint*> settled;
  for (const vxlan::DesiredEndpoint& endpoint : wanted.endpoints) {
    const bool woken = how == Look::kStirred && endpoints_.stirred().contains(endpoint.id);
    (all || woken || !is_settled(endpoint) ? work : settled).push_back(&endpoint);
  }
  if (!look && work.empty() && *overlay.applied == wanted) {
    for (const vxlan::DesiredEndpoint* endpoint : settled) {
      result.attached[endpoint->id] = {endpoints_.find(endpoint->id)->ifname, endpoint->mtu};
    }
    return ok_status();
  }

  Result<vxlan::NamespaceState> dumped =
      look ? vxlan::dump_overlay(overlay.socket)
           : believe(overlay, overlay.applied->space != wanted.space);
  if (!dumped) return context(dumped.error());
  const vxlan::NamespaceState& seen = *dumped;
  const vxlan::Plan plan = plan_space(wanted, overlay, seen, look);
  overlay.applied.reset();
  const vxlan::Places places{
      .host = &host_socket_, .overlay = &overlay.socket, .overlay_space = &overlay.space};
  const Status done = run(plan, places, "network " + wanted.network.str(), result);
  if (!done.ok()) return context(done.error());
  overlay.applied = wanted;
  announce_remote(plan, overlay);
  for (const vxlan::DesiredEndpoint* endpoint : settled) {
    const EndpointHandle& handle = *endpoints_.find(endpoint->id);
    // Its own namespace tells by itself; here is the other side.
    if (stirred && handle.port != of_port(seen, vxlan::port_name(endpoint->id))) {
      work.push_back(endpoint);
    } else {
      result.attached[endpoint->id] = {handle.ifname, endpoint->mtu};
    }
  }
  for (const vxlan::DesiredEndpoint* endpoint : work) {
    if (log_.repairing() && hurried_ && hurried_()) {
      result.interrupted = true;
      return ok_status();
    }
    const Status attached = pass_endpoint(*endpoint, overlay, seen, look, result);
    if (!attached.ok()) result.endpoint_errors.emplace(endpoint->id, attached.error());
  }
  return ok_status();
}

// An IP may have been another endpoint's a moment ago. Nothing depends on an announcement: one that
// is not sent costs the time until neighbour entries age.
void Engine::announce_remote(const vxlan::Plan& plan, OverlayHandle& overlay) {
  std::vector<const vxlan::Neigh*> fresh;
  for (const vxlan::Op& op : plan) {
    const auto* const put = std::get_if<vxlan::PutNeigh>(&op.action);
    if (put != nullptr) fresh.push_back(&put->neigh);
  }
  if (fresh.empty() || fresh.size() > kMostAnnounced) return;
  const auto bridge = vxlan::get_link(overlay.socket, std::string(vxlan::kBridgeName));
  if (!bridge.ok()) return;
  for (const vxlan::Neigh* neigh : fresh) {
    tell(vxlan::announce(overlay.announcer, bridge->index, neigh->ip, neigh->mac));
  }
}

Status Engine::pass_endpoint(const vxlan::DesiredEndpoint& wanted, OverlayHandle& overlay,
                             const vxlan::NamespaceState& seen, bool look, PassResult& result) {
  Result<EndpointHandle*> ensured = endpoints_.ensure(wanted.id, local_.at(wanted.id).space);
  if (!ensured) {
    if (ensured.error().code == ErrorClass::kNotFound) {
      report_gone(wanted.id, ensured.error().message);
    }
    return ensured.error();
  }
  EndpointHandle& handle = **ensured;
  if (handle.opened.fd.identity() == host_.identity()) {
    return invalid_argument("the endpoint's namespace is this host's own");
  }
  handle.applied.reset();
  handle.port.reset();
  vxlan::NamespaceState port = of_port(seen, vxlan::port_name(wanted.id));
  const Plumbing plumbing{
      {.host = &host_socket_, .overlay = &overlay.socket, .overlay_space = &overlay.space},
      [&](const vxlan::Plan& plan, const vxlan::Places& places) {
        return run(plan, places, "endpoint " + wanted.id.str(), result);
      }};
  const bool changed = SHOAL_TRY(plumb(wanted, port, plumbing, handle));
  SHOAL_TRY(pass_dns(local_.at(wanted.id), handle, look, result));
  handle.applied = wanted;
  if (look && !changed) handle.port = std::move(port);
  result.attached[wanted.id] = {handle.ifname, wanted.mtu};
  return ok_status();
}

Status Engine::pass_dns(const LocalEndpoint& endpoint, EndpointHandle& handle, bool look,
                        PassResult& result) {
  if (!SHOAL_TRY(lead_dns(endpoint.dns_port, look, handle))) return ok_status();
  ++result.ops;
  if (endpoint.dns_port != 0) {
    log_.add("endpoint " + endpoint.id.str(),
             "lead DNS to port " + std::to_string(endpoint.dns_port));
  }
  return ok_status();
}

}  // namespace shoal::worker
