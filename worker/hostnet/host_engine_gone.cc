// HostEngine: endpoints that are over, and what tells of them.
#include <algorithm>

#include "base/runtime/log.h"
#include "vxlan/filter/filter.h"
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
  std::map<EndpointId, std::string> found;
  for (const auto& [id, handle] : endpoints_) {
    if (!everywhere && !ended_.contains(id)) continue;
    const Status there = still_there(handle.opened.ref);
    if (there.ok() && !ended_.contains(id)) continue;
    if (!there.ok() && there.error().code != ErrorClass::kNotFound) continue;
    found[id] = there.ok() ? "process " + std::to_string(handle.opened.ref.pid) + " ended"
                           : there.error().message;
  }
  ended_.clear();
  for (const auto& [id, reason] : found) report_gone(id, reason);
}

// Its port goes at once; its handle too, which would keep the namespace alive.
void HostEngine::report_gone(const EndpointId& id, const std::string& reason) {
  const auto wanted = wanted_.find(id);
  const bool desired = wanted != wanted_.end();
  if (desired && !gone_.emplace(id, Gone{wanted->second.space, reason}).second) return;
  endpoints_.erase(id);
  if (!desired) return;
  const Result<vxlan::NamespaceState> port = port_of(id, nullptr);
  const Status removed = port.ok() ? vxlan::apply(vxlan::plan_remove_endpoint(id, *port), places())
                                   : Status(port.error());
  if (!removed.ok()) log::warn(kComponent, "{}", removed.error().message);
  log::info(kComponent, "endpoint {} is gone: {}", id.str(), reason);
  if (options_.on_endpoint_gone) options_.on_endpoint_gone(id, reason);
}

void HostEngine::take_out_departed(HostPass& result) {
  std::erase_if(state_->departed, [&](const DepartedEndpoint& departed) {
    if (wanted_.contains(departed.id)) return true;
    Status done = take_out(departed, result);
    // A namespace that is gone took everything along.
    if (!done.ok() && done.error().code == ErrorClass::kNotFound) done = ok_status();
    if (!done.ok()) {
      result.problems.push_back(done.error().wrap("endpoint " + departed.id.str()));
      return false;
    }
    result.departed.insert(departed.id);
    return true;
  });
}

// With the port goes the interface. What has a handle loses its DNS rules with that.
Status HostEngine::take_out(const DepartedEndpoint& departed, HostPass& result) {
  const vxlan::NamespaceState port = SHOAL_TRY(port_of(departed.id, nullptr));
  SHOAL_TRY(run(vxlan::plan_remove_endpoint(departed.id, port), places(),
                "endpoint " + departed.id.str(), result));
  if (endpoints_.contains(departed.id)) return ok_status();
  const OpenedNamespace opened = SHOAL_TRY(open_namespace(departed.space));
  if (opened.fd.identity() == host_.identity()) return ok_status();
  if (dns_shared(departed.id, opened.ref)) return ok_status();
  return vxlan::remove_dns_redirect(opened.fd);
}

bool HostEngine::dns_shared(const EndpointId& id, const NamespaceRef& space) const {
  const bool here = std::any_of(wanted_.begin(), wanted_.end(), [&](const auto& other) {
    return other.first != id && other.second.dns_port != 0 && same_space(other.second.space, space);
  });
  return here || (options_.dns_needed_elsewhere && options_.dns_needed_elsewhere(space));
}

void HostEngine::forget_undesired(HostPass& result) {
  for (auto at = endpoints_.begin(); at != endpoints_.end();) {
    const auto wanted = wanted_.find(at->first);
    if (wanted != wanted_.end() && wanted->second.space == at->second.requested) {
      ++at;
      continue;
    }
    const OpenedNamespace& opened = at->second.opened;
    if (at->second.dns_port != 0 && !dns_shared(at->first, opened.ref)) {
      const Status removed = vxlan::remove_dns_redirect(opened.fd);
      if (!removed.ok()) result.problems.push_back(removed.error());
    }
    at = endpoints_.erase(at);
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
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint.process_token == token) {
      ended_.insert(id);
      return true;
    }
    const bool rules = endpoint.rules_token == token;
    if (!rules && endpoint.token != token) continue;
    if (rules) {
      endpoint.rules->drain();
      endpoint.rules_changed = true;
    } else {
      endpoint.monitor.drain();
    }
    stirred_endpoints_.insert(id);
    return true;
  }
  return false;
}

}  // namespace shoal::worker
