#include "worker/attach/plumb.h"

#include "base/runtime/log.h"
#include "base/types/check.h"
#include "vxlan/filter/filter.h"
#include "vxlan/netlink/announce.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/netlink/wait.h"
#include "vxlan/plan/plan.h"

namespace shoal::worker {
namespace {

// Looking at nftables rules enters the namespace and costs a millisecond. Notifications tell when
// to; as one may be lost, each endpoint's rules are looked at in every so many full passes too.
constexpr int kDnsCheckEvery = 3;

// What the endpoint's interface is called once the plan is done.
std::string interface_name(const vxlan::Plan& plan, const vxlan::ObservedEndpoint& observed,
                           const std::string& alias) {
  for (const vxlan::Op& op : plan) {
    const auto* const change = std::get_if<vxlan::SetLink>(&op.action);
    if (op.place == vxlan::Place::kEndpoint && change != nullptr && change->rename) {
      return *change->rename;
    }
  }
  const vxlan::Link* const inside = observed.inside.find_alias(alias);
  SHOAL_CHECK(inside != nullptr, "a plan that renames nothing keeps an interface");
  return inside->name;
}

// From the endpoint itself: its own kernel would complain of hearing another use its address.
// Nothing depends on it: one that is not sent costs the time until neighbour entries age.
void announce_own(const vxlan::DesiredEndpoint& endpoint, EndpointHandle& handle) {
  const auto inside = vxlan::get_link(handle.socket, handle.ifname);
  if (!inside.ok()) return;
  for (const Prefix& address : endpoint.addresses) {
    const Status sent = vxlan::announce(handle.announcer, inside->index, address.ip, endpoint.mac);
    if (!sent.ok()) log::debug("data_plane", "{}", sent.error().message);
  }
}

}  // namespace

vxlan::NamespaceState of_port(const vxlan::NamespaceState& space, const std::string& port) {
  vxlan::NamespaceState part;
  const vxlan::Link* const link = space.find(port);
  if (link != nullptr) part.links.push_back(*link);
  for (const vxlan::Fdb& fdb : space.fdb) {
    if (fdb.link == port) part.fdb.push_back(fdb);
  }
  return part;
}

Result<bool> plumb(const vxlan::DesiredEndpoint& wanted, const vxlan::NamespaceState& seen,
                   const Plumbing& plumbing, EndpointHandle& handle) {
  const std::string alias = vxlan::endpoint_alias(wanted.id);
  vxlan::ObservedEndpoint observed;
  observed.inside = SHOAL_TRY(vxlan::dump_inside(handle.socket, alias));
  observed.overlay = seen;
  const vxlan::Plan plan = SHOAL_TRY(vxlan::plan_endpoint(wanted, observed));
  vxlan::Places places = plumbing.places;
  places.endpoint = &handle.socket;
  places.endpoint_space = &handle.opened.fd;
  SHOAL_TRY(plumbing.run(plan, places));
  handle.ifname = interface_name(plan, observed, alias);
  if (plan.empty()) return false;
  SHOAL_TRY(vxlan::wait_running(handle.socket, handle.ifname));
  SHOAL_TRY(vxlan::wait_running(*places.overlay, vxlan::port_name(wanted.id)));
  for (const Prefix& address : wanted.addresses) {
    SHOAL_TRY(vxlan::wait_local(handle.socket, address.ip));
  }
  announce_own(wanted, handle);
  return true;
}

Result<bool> lead_dns(uint16_t port, bool look, EndpointHandle& handle) {
  if (port == 0) {
    if (handle.dns_port == 0) return false;
    SHOAL_TRY(vxlan::remove_dns_redirect(handle.opened.fd));
    handle.dns_port = 0;
    return true;
  }
  const bool due = handle.rules_changed || (look && ++handle.dns_unchecked >= kDnsCheckEvery);
  if (handle.dns_port == port && !due) return false;
  handle.dns_unchecked = 0;
  handle.rules_changed = false;
  const bool changed = SHOAL_TRY(vxlan::apply_dns_redirect(handle.opened.fd, port));
  // Our own change is no reason to look again.
  if (changed && handle.rules) handle.rules->drain();
  handle.dns_port = port;
  return changed;
}

}  // namespace shoal::worker
