// HostEngine: endpoints that are over, and what tells of them.
#include <algorithm>
#include <filesystem>

#include "base/runtime/log.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/plan/plan.h"
#include "worker/hostnet/host_engine.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "host_plane";

bool same_space(const NamespaceRef& a, const NamespaceRef& b) {
  return a.device == b.device && a.inode == b.inode;
}

}  // namespace

// Looks at every endpoint in a full pass; else at those whose process is said to have ended.
void HostEngine::notice_gone(bool everywhere) {
  for (const auto& [id, reason] : endpoints_.take_ended(everywhere)) report_gone(id, reason);
}

// Its port goes at once.
void HostEngine::report_gone(const EndpointId& id, const std::string& reason) {
  const HostEndpoint* const wanted = state_->endpoint(id);
  if (wanted == nullptr) return endpoints_.erase(id);
  if (!endpoints_.mark_gone(id, wanted->space, reason)) return;
  const Result<vxlan::NamespaceState> port = port_of(id, nullptr);
  const Status removed = port.ok() ? vxlan::apply(vxlan::plan_remove_endpoint(id, *port), places())
                                   : Status(port.error());
  if (!removed.ok()) log::warn(kComponent, "{}", removed.error().message);
  log::info(kComponent, "endpoint {} is gone: {}", id.str(), reason);
  if (options_.on_endpoint_gone) options_.on_endpoint_gone(id, reason);
}

void HostEngine::take_out_departed(HostPass& result) {
  std::erase_if(state_->departed, [&](const DepartedEndpoint& departed) {
    if (state_->endpoint(departed.id) != nullptr || removals_.pending(departed.id)) return true;
    const Status done = take_out(departed, result);
    if (done.ok()) return true;
    // A namespace that is gone took everything along.
    if (done.error().code == ErrorClass::kNotFound) {
      depart(departed.id);
      return true;
    }
    result.problems.push_back(done.error().wrap("endpoint " + departed.id.str()));
    return false;
  });
}

// With the port goes the interface.
Status HostEngine::take_out(const DepartedEndpoint& departed, HostPass& result) {
  const vxlan::NamespaceState port = SHOAL_TRY(port_of(departed.id, nullptr));
  SHOAL_TRY(run(vxlan::plan_remove_endpoint(departed.id, port), places(),
                "endpoint " + departed.id.str(), result));
  if (EndpointHandle* const handle = endpoints_.find(departed.id)) {
    OpenedNamespace opened = std::move(handle->opened);
    const bool led = handle->dns_port != 0;
    endpoints_.erase(departed.id);
    remove_dns(departed.id, std::move(opened), led);
    return ok_status();
  }
  OpenedNamespace opened = SHOAL_TRY(open_namespace(departed.space));
  const bool own = opened.fd.identity() == host_.identity();
  remove_dns(departed.id, std::move(opened), !own);
  return ok_status();
}

void HostEngine::depart(const EndpointId& id) {
  if (options_.on_endpoint_departed) options_.on_endpoint_departed(id);
}

void HostEngine::remove_dns(const EndpointId& id, OpenedNamespace opened, bool led) {
  if (!led || dns_shared(id, opened.ref)) return depart(id);
  removals_.add({.space = std::move(opened.fd),
                 .endpoint = id,
                 .still_due = [elsewhere = options_.dns_needed_elsewhere,
                               ref = opened.ref] { return !elsewhere || !elsewhere(ref); },
                 .done =
                     [this, id](const Status& removed) {
                       if (removed.ok()) return depart(id);
                       log::warn(kComponent, "endpoint {}: {}", id.str(), removed.error().message);
                     }});
}

bool HostEngine::dns_shared(const EndpointId& id, const NamespaceRef& space) const {
  const auto& all = state_->endpoints;
  const bool here = std::any_of(all.begin(), all.end(), [&](const auto& other) {
    return other->dns_port != 0 && same_space(other->space, space) && other->desired.id != id;
  });
  return here || (options_.dns_needed_elsewhere && options_.dns_needed_elsewhere(space));
}

void HostEngine::forget_undesired() {
  for (auto at = touched_.begin(); at != touched_.end();) {
    const EndpointId id = *at;
    const HostEndpoint* const wanted = state_->endpoint(id);
    at = wanted == nullptr ? touched_.erase(at) : std::next(at);
    EndpointHandle* const handle = endpoints_.find(id);
    if (handle == nullptr || (wanted != nullptr && wanted->space == handle->requested)) continue;
    OpenedNamespace opened = std::move(handle->opened);
    const bool led = handle->dns_port != 0;
    endpoints_.erase(id);
    remove_dns(id, std::move(opened), led);
  }
}

bool HostEngine::handle_event(uint64_t token) {
  if (token == token_) {
    monitor_.drain();
    stirred_ = true;
    return true;
  }
  if (rules_ && token == rules_token_) {
    rules_->drain();
    rules_changed_ = true;
    return true;
  }
  return endpoints_.handle_event(token);
}

// Overlays' namespaces are the other plane's; their files are where it puts them.
Result<NamespaceRef> HostEngine::check_namespace(const NamespaceRef& ref,
                                                 const std::string& ifname) const {
  const NamespaceRef checked = SHOAL_TRY(worker::check_namespace(host_, ref, ifname));
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(options_.run_dir + "/netns", none)) {
    const auto overlay = vxlan::identify(entry.path().string());
    if (overlay.ok() && *overlay == vxlan::NamespaceIdentity{checked.device, checked.inode}) {
      return invalid_argument("that is the namespace of one of Shoal's own overlays");
    }
  }
  return checked;
}

}  // namespace shoal::worker
