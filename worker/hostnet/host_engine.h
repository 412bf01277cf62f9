// HostEngine: one pass after another, each making the host's namespace as the state says.
// Single-threaded; the HostPlane's thread owns it. As Engine it looks where it must and trusts what
// it applied last elsewhere, so that an attachment costs what the attachment costs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "vxlan/filter/host_table.h"
#include "vxlan/netlink/apply.h"
#include "worker/attach/handles.h"
#include "worker/hostnet/forwarding.h"
#include "worker/hostnet/host_plane.h"

namespace shoal::worker {

class HostEngine {
 public:
  static Result<std::unique_ptr<HostEngine>> open(const HostPlaneOptions& options);

  void set_state(HostState state);
  bool has_state() const { return state_.has_value(); }
  // kBelieve: only where nothing is known. kStirred: also where notifications came from.
  enum class Look { kBelieve, kStirred, kEverywhere };
  // `repairing`: no new state since the last pass, so every op is a repair and is logged.
  HostPass pass(Look look, bool repairing);

  // Asked between two endpoints of a repair: true makes it give way (HostPass::interrupted).
  void set_hurried(std::function<bool()> hurried) { hurried_ = std::move(hurried); }

  // Takes what became ready; true when a pass should follow. Unknown tokens are not ours.
  bool handle_event(uint64_t token);
  WatchSet& watches() { return watches_; }
  const vxlan::NamespaceFd& host() const { return host_; }
  vxlan::NetlinkSocket& socket() { return socket_; }

 private:
  HostEngine(const HostPlaneOptions& options, vxlan::NamespaceFd host, vxlan::NetlinkSocket socket,
             vxlan::NetlinkMonitor monitor, WatchSet watches);

  void notice_gone(bool everywhere);
  void report_gone(const EndpointId& id, const std::string& reason);
  void take_out_departed(HostPass& result);
  Status take_out(const DepartedEndpoint& departed, HostPass& result);
  bool dns_shared(const EndpointId& id, const NamespaceRef& space) const;
  void forget_undesired(HostPass& result);
  void decide_forwarding(HostPass& result);
  void pass_rules(bool look, HostPass& result);
  Status ensure_table(bool look, HostPass& result);
  // The dump that a look needs, with the networks made right and what is left over removed.
  std::optional<vxlan::NamespaceState> pass_networks(bool look, HostPass& result);
  Status pass_endpoint(const HostEndpoint& wanted, const vxlan::NamespaceState* seen,
                       HostPass& result);
  Result<EndpointHandle*> ensure_endpoint(const HostEndpoint& wanted);
  Result<vxlan::NamespaceState> port_of(const EndpointId& id, const vxlan::NamespaceState* seen);
  Status run(const vxlan::Plan& plan, const vxlan::Places& places, const std::string& where,
             HostPass& result);
  vxlan::Places places() {
    return {.host = &socket_, .overlay = &socket_, .overlay_space = &host_};
  }

  const HostPlaneOptions options_;
  vxlan::NamespaceFd host_;
  vxlan::NetlinkSocket socket_;
  vxlan::NetlinkMonitor monitor_;
  std::optional<vxlan::NetlinkMonitor> rules_;  // of nftables, where the kernel has it
  uint64_t token_ = 0;
  uint64_t rules_token_ = 0;
  WatchSet watches_;

  std::optional<HostState> state_;
  std::map<EndpointId, HostEndpoint> wanted_;  // of state_
  bool repairing_ = false;
  std::function<bool()> hurried_;
  size_t logged_ = 0;  // repairs logged in this pass
  // What the kernel is believed to hold. Not set: look.
  std::optional<std::vector<vxlan::DesiredHostNetwork>> applied_;
  std::optional<vxlan::HostTable> table_;
  std::string listing_;  // of the table, as the kernel told it then
  int rules_unchecked_ = 0;
  bool rules_changed_ = false;
  Forwarding forwarding_v4_;
  Forwarding forwarding_v6_;
  std::map<EndpointId, EndpointHandle> endpoints_;
  struct Gone {
    NamespaceRef ref;
    std::string reason;
  };
  std::map<EndpointId, Gone> gone_;
  // Where a notification came from.
  bool stirred_ = false;
  std::set<EndpointId> stirred_endpoints_;
  std::set<EndpointId> ended_;
};

}  // namespace shoal::worker
