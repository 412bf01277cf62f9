// HostEngine: one pass after another, each making the host's namespace as the state says.
// Single-threaded; the HostPlane's thread owns it. As Engine it looks where it must and trusts what
// it applied last elsewhere, so that an attachment costs what the attachment costs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "vxlan/filter/host_table.h"
#include "vxlan/netlink/apply.h"
#include "worker/attach/endpoint_set.h"
#include "worker/attach/look.h"
#include "worker/attach/removals.h"
#include "worker/hostnet/forwarding.h"
#include "worker/hostnet/host_plane.h"
#include "worker/hostnet/port_rules.h"

namespace shoal::worker {

// The host's links, found by name: a host has a port for each endpoint.
class HostSight {
 public:
  explicit HostSight(vxlan::NamespaceState state);

  const vxlan::NamespaceState& state() const { return state_; }
  // As of_port(); links only.
  vxlan::NamespaceState port(const std::string& name) const;

 private:
  vxlan::NamespaceState state_;
  std::unordered_map<std::string_view, const vxlan::Link*> links_;  // of state_
};

class HostEngine {
 public:
  using State = HostState;
  using Pass = HostPass;

  static Result<std::unique_ptr<HostEngine>> open(const HostPlaneOptions& options);

  void set_state(HostState state);
  bool has_state() const { return state_.has_value(); }
  // `repairing`: no new state since the last pass, so every op is a repair and is logged.
  HostPass pass(Look look, bool repairing);

  // Asked between two endpoints of a repair: true makes it give way (HostPass::interrupted).
  void set_hurried(std::function<bool()> hurried) { hurried_ = std::move(hurried); }

  // Takes what became ready; true when a pass should follow. Unknown tokens are not ours.
  bool handle_event(uint64_t token);
  WatchSet& watches() { return watches_; }
  // As HostPlane's.
  Result<NamespaceRef> check_namespace(const NamespaceRef& ref, const std::string& ifname) const;
  vxlan::NetlinkSocket& socket() { return socket_; }

 private:
  HostEngine(const HostPlaneOptions& options, vxlan::NamespaceFd host, vxlan::NetlinkSocket socket,
             vxlan::NetlinkSocket remover, UniqueFd probe, vxlan::NetlinkMonitor monitor,
             WatchSet watches);

  void note_changes(const HostEndpoints& before, const HostEndpoints& after);
  void notice_gone(bool everywhere);
  void report_gone(const EndpointId& id, const std::string& reason);
  void take_out_departed(HostPass& result);
  Status take_out(const DepartedEndpoint& departed, HostPass& result);
  void depart(const EndpointId& id);
  // The rules for DNS in that namespace, unless another needs them.
  Removals::Removal dns_removal(const EndpointId& id, std::shared_ptr<const OpenedNamespace> space,
                                std::function<void(const Status&)> done);
  // Waits until the link is out of sight, with its peer; the kernel goes on removing it.
  Status wait_unseen(const EndpointId& id, const std::string& link) const;
  bool dns_shared(const EndpointId& id, const NamespaceRef& space) const;
  void forget_undesired();
  void decide_forwarding(HostPass& result);
  void pass_rules(bool look, HostPass& result);
  Status ensure_table(bool look, HostPass& result);
  void pass_ports(bool bridges_too, HostPass& result);
  // The dump that a look needs, with the networks made right and what is left over removed.
  std::optional<HostSight> pass_networks(bool look, HostPass& result);
  // Whom this pass is about; the rest is as it was left.
  std::set<EndpointId> work_of(Look how, const HostSight* seen);
  void take_turn();
  bool is_settled(const HostEndpoint& wanted, Look how, const HostSight* seen) const;
  Status pass_endpoint(const HostEndpoint& wanted, const HostSight* seen, HostPass& result);
  Result<vxlan::NamespaceState> port_of(const EndpointId& id, const HostSight* seen);
  Status run(const vxlan::Plan& plan, const vxlan::Places& places, const std::string& where,
             HostPass& result);
  vxlan::Places places() {
    return {.host = &socket_, .overlay = &socket_, .overlay_space = &host_};
  }

  const HostPlaneOptions options_;
  vxlan::NamespaceFd host_;
  vxlan::NetlinkSocket socket_;
  vxlan::NetlinkSocket remover_;  // of the links' removals
  UniqueFd probe_;                // a socket of the host's namespace: whether a link is there
  vxlan::NetlinkMonitor monitor_;
  std::optional<vxlan::NetlinkMonitor> rules_;  // of nftables, where the kernel has it
  uint64_t token_ = 0;
  uint64_t rules_token_ = 0;
  WatchSet watches_;

  std::optional<HostState> state_;
  // Changed by the newest state, or not as they should be since: the next pass is about them.
  std::set<EndpointId> touched_;
  PassLog log_{"host_plane"};
  std::function<bool()> hurried_;
  // What the kernel is believed to hold. Not set: look.
  std::shared_ptr<const HostNetworks> applied_;
  std::optional<vxlan::HostTable> table_;
  std::string listing_;  // of the table, as the kernel told it then
  int rules_unchecked_ = 0;
  bool rules_changed_ = false;
  bool ports_due_ = false;  // somebody may have changed their table
  PortRules port_rules_;
  Forwarding forwarding_v4_;
  Forwarding forwarding_v6_;
  EndpointSet endpoints_{watches_};
  bool stirred_ = false;  // a notification came from the host's namespace
  // Full passes look into some namespaces each, in turns: those left of this turn.
  std::set<EndpointId> turn_;
  EndpointId turn_end_;
  Removals dns_{"shoal-undns"};
  Removals links_{"shoal-unlink"};  // last: its callbacks use dns_
};

}  // namespace shoal::worker
