// Engine: one pass after another, each making the kernel as the state says. Single-threaded; the
// DataPlane's thread owns it.
//
// A pass looks (dumps) where it must: everywhere when it is a full one, where a notification came
// from when it follows that, and where the last pass failed. Elsewhere it trusts what it applied
// last and changes only the difference to the new state, so an attachment costs what the attachment
// costs. A wrong belief lasts until the notification or the next full pass.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "vxlan/netlink/apply.h"
#include "vxlan/plan/plan.h"
#include "worker/attach/data_path_port.h"
#include "worker/attach/data_plane.h"
#include "worker/attach/endpoint_set.h"
#include "worker/attach/handles.h"
#include "worker/attach/look.h"
#include "worker/reconcile/reconcile.h"

namespace shoal::worker {

class Engine {
 public:
  using State = WorkerState;
  using Pass = PassResult;

  static Result<std::unique_ptr<Engine>> open(const DataPlaneOptions& options);

  void set_state(WorkerState state);
  bool has_state() const { return state_.has_value(); }
  // `repairing`: no new state since the last pass, so every op is a repair and is logged.
  PassResult pass(Look look, bool repairing);
  // Asked between two endpoints of a repair: true makes it give way (PassResult::interrupted).
  void set_hurried(std::function<bool()> hurried) { hurried_ = std::move(hurried); }

  // Takes what became ready; true when a pass should follow. Unknown tokens are not ours.
  bool handle_event(uint64_t token);
  WatchSet& watches() { return watches_; }
  const vxlan::NamespaceFd& host() const { return host_; }
  bool is_overlay(const vxlan::NamespaceIdentity& identity) const;
  Status remove_all();

 private:
  Engine(const DataPlaneOptions& options, vxlan::NamespaceFd host, vxlan::NetlinkSocket socket,
         vxlan::NetlinkMonitor monitor, WatchSet watches);

  std::string path_of(const NetworkId& network) const;
  uint32_t read_path_mtu(bool everywhere, PassResult& result);
  Reconciled reconcile_present(uint32_t path_mtu) const;
  void watch_port(bool everywhere, PassResult& result);
  void notice_gone(bool everywhere);
  void report_gone(const EndpointId& endpoint, const std::string& reason);
  void take_out_departed(PassResult& result);
  Status take_out(const DepartedEndpoint& departed, PassResult& result);
  bool dns_needed_elsewhere(const NamespaceRef& space) const;
  void forget_undesired(const Reconciled& wanted, PassResult& result, bool everywhere);

  Status pass_overlay(const vxlan::DesiredOverlay& wanted, Look look, PassResult& result);
  bool is_settled(const vxlan::DesiredEndpoint& wanted) const;
  vxlan::Plan plan_space(const vxlan::DesiredOverlay& wanted, const OverlayHandle& overlay,
                         const vxlan::NamespaceState& seen, bool look) const;
  Result<OverlayHandle*> ensure_overlay(const NetworkId& network);
  // What is known without dumping tables: the links are dumped. With `space` also its entries.
  Result<vxlan::NamespaceState> believe(OverlayHandle& overlay, bool space) const;
  Status pass_endpoint(const vxlan::DesiredEndpoint& wanted, OverlayHandle& overlay,
                       const vxlan::NamespaceState& seen, bool look, PassResult& result);
  Status pass_dns(const LocalEndpoint& endpoint, EndpointHandle& handle, bool look,
                  PassResult& result);
  Status run(const vxlan::Plan& plan, const vxlan::Places& places, const std::string& where,
             PassResult& result);
  static void announce_remote(const vxlan::Plan& plan, OverlayHandle& overlay);
  Status remove_overlay(const std::string& path);

  const DataPlaneOptions options_;
  vxlan::NamespaceFd host_;
  vxlan::NetlinkSocket host_socket_;
  vxlan::NetlinkMonitor host_monitor_;
  uint64_t host_token_ = 0;
  WatchSet watches_;

  std::optional<WorkerState> state_;
  std::map<EndpointId, LocalEndpoint> local_;  // of state_
  bool complete_ = false;  // a complete state was seen: what is not desired may go
  PassLog log_{"data_plane"};
  std::function<bool()> hurried_;
  bool found_leftovers_ = false;  // namespaces of an earlier run were looked for
  DataPathPort port_;
  std::optional<Error> port_taken_;   // found by the last full pass
  std::optional<uint32_t> path_mtu_;  // of the link that holds the data-path address
  std::map<NetworkId, OverlayHandle> overlays_;
  std::map<uint64_t, NetworkId> overlay_tokens_;
  EndpointSet endpoints_{watches_};
  std::set<NetworkId> stirred_overlays_;  // where a notification came from
};

}  // namespace shoal::worker
