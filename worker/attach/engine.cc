#include "worker/attach/engine.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <filesystem>

#include "base/runtime/files.h"
#include "base/runtime/log.h"
#include "base/runtime/system_ports.h"
#include "vxlan/filter/filter.h"
#include "vxlan/netlink/apply.h"
#include "vxlan/netlink/dump.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "data_plane";
constexpr const char* kNamespacePrefix = "shoal-";
// Taken while the data-path address is on no interface: Ethernet's.
constexpr uint32_t kUsualMtu = 1500;

}  // namespace

Engine::Engine(const DataPlaneOptions& options, vxlan::NamespaceFd host,
               vxlan::NetlinkSocket socket, vxlan::NetlinkMonitor monitor, WatchSet watches)
    : options_(options),
      host_(std::move(host)),
      host_socket_(std::move(socket)),
      host_monitor_(std::move(monitor)),
      watches_(std::move(watches)) {}

Result<std::unique_ptr<Engine>> Engine::open(const DataPlaneOptions& options) {
  SHOAL_TRY(make_directories(options.run_dir + "/netns"));
  vxlan::NamespaceFd host =
      SHOAL_TRY(options.host_namespace.empty() ? vxlan::NamespaceFd::open_own()
                                               : vxlan::NamespaceFd::open(options.host_namespace));
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(host));
  vxlan::NetlinkMonitor monitor = SHOAL_TRY(
      vxlan::NetlinkMonitor::open(host, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}));
  WatchSet watches = SHOAL_TRY(WatchSet::make());
  std::unique_ptr<Engine> engine(new Engine(options, std::move(host), std::move(socket),
                                            std::move(monitor), std::move(watches)));
  engine->host_token_ = SHOAL_TRY(engine->watches_.add(engine->host_monitor_.fd()));
  return engine;
}

void Engine::set_state(WorkerState state) {
  if (state_ && state_->data_path_address != state.data_path_address) path_mtu_.reset();
  complete_ = complete_ || state.complete;
  state_ = std::move(state);
  local_.clear();
  for (const LocalEndpoint& endpoint : state_->local) local_.emplace(endpoint.id, endpoint);
  endpoints_.review_gone([this](const EndpointId& id) -> const NamespaceRef* {
    const auto found = local_.find(id);
    return found == local_.end() ? nullptr : &found->second.space;
  });
}

PassResult Engine::pass(Look look, bool repairing) {
  const Instant start = SystemClock().now();
  const bool everywhere = look == Look::kEverywhere;
  PassResult result;
  if (!state_) return result;
  log_.begin(repairing);
  notice_gone(everywhere);
  const Reconciled wanted = reconcile_present(read_path_mtu(everywhere, result));
  result.endpoint_errors = wanted.endpoint_errors;
  result.problems.insert(result.problems.end(), wanted.problems.begin(), wanted.problems.end());
  for (const auto& [id, gone] : endpoints_.gone()) {
    result.endpoint_errors[id] = not_found(gone.reason);
  }
  take_out_departed(result);
  forget_undesired(wanted, result, everywhere);
  for (const vxlan::DesiredOverlay& overlay : wanted.overlays) {
    if (result.interrupted) break;
    const Status done = pass_overlay(overlay, look, result);
    if (done.ok()) continue;
    result.problems.push_back(done.error());
    for (const auto& endpoint : overlay.endpoints) {
      result.attached.erase(endpoint.id);
      result.endpoint_errors.emplace(endpoint.id, done.error());
    }
  }
  watch_port(everywhere, result);
  if (look != Look::kBelieve && !result.interrupted) {
    stirred_overlays_.clear();
    endpoints_.settle();
  }
  result.elapsed = SystemClock().now() - start;
  return result;
}

std::string Engine::path_of(const NetworkId& network) const {
  return options_.run_dir + "/netns/" + vxlan::namespace_name(network);
}

uint32_t Engine::read_path_mtu(bool everywhere, PassResult& result) {
  if (state_->underlay_mtu != 0 || state_->local.empty()) return state_->underlay_mtu;
  if (everywhere || !path_mtu_) {
    const auto link = vxlan::find_link_with_address(host_socket_, state_->data_path_address);
    if (link.ok()) {
      path_mtu_ = link->mtu;
    } else {
      result.problems.push_back(link.error().wrap("data path address"));
    }
  }
  return path_mtu_.value_or(kUsualMtu);
}

Reconciled Engine::reconcile_present(uint32_t path_mtu) const {
  const auto& gone = endpoints_.gone();
  if (gone.empty()) return reconcile(*state_, path_mtu);
  WorkerState state = *state_;
  std::erase_if(state.local, [&](const auto& endpoint) { return gone.contains(endpoint.id); });
  return reconcile(state, path_mtu);
}

// While no overlay holds the port something else may take it, and the next attach would fail.
void Engine::watch_port(bool everywhere, PassResult& result) {
  if (everywhere) {
    port_taken_.reset();
    if (overlays_.empty() && !state_->data_path_address.is_unspecified()) {
      const Status ours =
          port_.check(host_, host_socket_, state_->data_path_address, state_->data_path_port);
      if (!ours.ok()) port_taken_ = ours.error();
    }
  }
  if (port_taken_) result.problems.push_back(*port_taken_);
}

// Looks at every endpoint in a full pass; else at those whose process is said to have ended.
void Engine::notice_gone(bool everywhere) {
  for (const auto& [id, reason] : endpoints_.take_ended(everywhere)) report_gone(id, reason);
}

// Its port goes at once.
void Engine::report_gone(const EndpointId& endpoint, const std::string& reason) {
  const auto local = local_.find(endpoint);
  if (local == local_.end()) return endpoints_.erase(endpoint);
  if (!endpoints_.mark_gone(endpoint, local->second.space, reason)) return;
  const auto overlay = overlays_.find(local->second.network);
  if (overlay != overlays_.end()) {
    const auto links = vxlan::dump_links(overlay->second.socket);
    if (links.ok()) {
      const vxlan::NamespaceState seen{.links = *links};
      const Status removed = vxlan::apply(vxlan::plan_remove_endpoint(endpoint, seen),
                                          {.overlay = &overlay->second.socket});
      if (!removed.ok()) log::warn(kComponent, "{}", removed.error().message);
    }
    overlay->second.applied.reset();
  }
  log::info(kComponent, "endpoint {} is gone: {}", endpoint.str(), reason);
  if (options_.on_endpoint_gone) options_.on_endpoint_gone(endpoint, reason);
}

void Engine::take_out_departed(PassResult& result) {
  const auto used = [&](const NetworkId& network) {
    return std::any_of(local_.begin(), local_.end(),
                       [&](const auto& local) { return local.second.network == network; });
  };
  std::erase_if(state_->departed, [&](const DepartedEndpoint& departed) {
    if (local_.contains(departed.id)) return true;
    Status done = take_out(departed, result);
    // A namespace that is gone took everything along.
    if (!done.ok() && done.error().code == ErrorClass::kNotFound) done = ok_status();
    // Once the state is complete that is forget_undesired()'s.
    if (done.ok() && !complete_ && !departed.network.empty() && !used(departed.network)) {
      ++result.ops;
      done = remove_overlay(path_of(departed.network));
    }
    if (!done.ok()) {
      result.problems.push_back(done.error().wrap("endpoint " + departed.id.str()));
      return false;
    }
    result.departed.insert(departed.id);
    return true;
  });
}

// What has a handle loses its DNS rules with that, and its port by the overlay's plan once the
// state is complete.
Status Engine::take_out(const DepartedEndpoint& departed, PassResult& result) {
  const std::string alias = vxlan::endpoint_alias(departed.id);
  if (EndpointHandle* const handle = endpoints_.find(departed.id)) {
    if (!complete_) result.ops += SHOAL_TRY(vxlan::delete_link_with_alias(handle->socket, alias));
    return ok_status();
  }
  const OpenedNamespace opened = SHOAL_TRY(open_namespace(departed.space));
  if (opened.fd.identity() == host_.identity()) return ok_status();
  vxlan::NetlinkSocket socket = SHOAL_TRY(vxlan::NetlinkSocket::open(opened.fd));
  result.ops += SHOAL_TRY(vxlan::delete_link_with_alias(socket, alias));
  const bool shared = std::any_of(local_.begin(), local_.end(), [&](const auto& local) {
    const NamespaceRef& space = local.second.space;
    return space.device == opened.ref.device && space.inode == opened.ref.inode;
  });
  return shared || dns_needed_elsewhere(opened.ref) ? ok_status()
                                                    : vxlan::remove_dns_redirect(opened.fd);
}

bool Engine::dns_needed_elsewhere(const NamespaceRef& space) const {
  return options_.dns_needed_elsewhere && options_.dns_needed_elsewhere(space);
}

void Engine::forget_undesired(const Reconciled& wanted, PassResult& result, bool everywhere) {
  std::vector<EndpointId> undesired;
  for (const auto& [id, handle] : endpoints_.all()) {
    const auto local = local_.find(id);
    if (local == local_.end() || local->second.space != handle.requested) undesired.push_back(id);
  }
  for (const EndpointId& id : undesired) {
    const EndpointHandle& handle = *endpoints_.find(id);
    const auto identity = handle.opened.fd.identity();
    const auto& all = endpoints_.all();
    const bool shared = std::any_of(all.begin(), all.end(), [&](const auto& other) {
      return other.first != id && other.second.opened.fd.identity() == identity;
    });
    if (handle.dns_port != 0 && !shared && !dns_needed_elsewhere(handle.opened.ref)) {
      const Status removed = vxlan::remove_dns_redirect(handle.opened.fd);
      if (!removed.ok()) result.problems.push_back(removed.error());
    }
    endpoints_.erase(id);
  }
  if (!complete_) return;
  std::set<std::string> kept;
  for (const auto& overlay : wanted.overlays) kept.insert(path_of(overlay.network));
  std::set<std::string> removed;
  for (const auto& [network, handle] : overlays_) {
    if (!kept.contains(path_of(network))) removed.insert(path_of(network));
  }
  if (everywhere || !found_leftovers_) {
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator(options_.run_dir + "/netns", ignored)) {
      const bool ours = entry.path().filename().string().starts_with(kNamespacePrefix);
      if (ours && !kept.contains(entry.path().string())) removed.insert(entry.path().string());
    }
    found_leftovers_ = true;
  }
  for (const std::string& path : removed) {
    ++result.ops;
    const Status done = remove_overlay(path);
    if (!done.ok()) result.problems.push_back(done.error());
  }
}

Status Engine::remove_overlay(const std::string& path) {
  std::erase_if(overlays_, [&](const auto& overlay) {
    const bool removed = path_of(overlay.first) == path;
    if (removed) overlay_tokens_.erase(overlay.second.token);
    return removed;
  });
  // The devices go before the namespace: the kernel clears that away some time later, and would
  // hold the VNI until then.
  ErrorList errors;
  const auto space = vxlan::NamespaceFd::open(path);
  if (space.ok()) {
    auto socket = vxlan::NetlinkSocket::open(*space);
    const Status cleared =
        socket.ok() ? vxlan::delete_marked_links(*socket) : Status(socket.error());
    if (!cleared.ok()) errors.add(cleared.error());
  }
  const Status deleted = vxlan::delete_namespace(path);
  if (!deleted.ok()) errors.add(deleted.error());
  if (!errors.empty()) return errors.join().wrap("remove an overlay");
  return ok_status();
}

Status Engine::remove_all() {
  WorkerState nothing;
  nothing.complete = true;
  set_state(std::move(nothing));
  const PassResult result = pass(Look::kEverywhere, false);
  ErrorList errors;
  for (const Error& error : result.problems) errors.add(error);
  if (!errors.empty()) return errors.join();
  return ok_status();
}

bool Engine::handle_event(uint64_t token) {
  if (token == host_token_) {
    host_monitor_.drain();
    if (!state_ || state_->local.empty() || state_->underlay_mtu != 0) return false;
    const auto link = vxlan::find_link_with_address(host_socket_, state_->data_path_address);
    if (!link.ok() || path_mtu_ == link->mtu) return false;
    path_mtu_ = link->mtu;
    return true;
  }
  const auto overlay = overlay_tokens_.find(token);
  if (overlay == overlay_tokens_.end()) return endpoints_.handle_event(token);
  overlays_.at(overlay->second).monitor.drain();
  stirred_overlays_.insert(overlay->second);
  return true;
}

bool Engine::is_overlay(const vxlan::NamespaceIdentity& identity) const {
  return std::any_of(overlays_.begin(), overlays_.end(), [&](const auto& overlay) {
    return overlay.second.space.identity() == identity;
  });
}

}  // namespace shoal::worker
