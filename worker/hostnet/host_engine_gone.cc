// HostEngine: endpoints that are over, and what tells of them.
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/runtime/log.h"
#include "vxlan/filter/filter.h"
#include "vxlan/netlink/dump.h"
#include "vxlan/plan/plan.h"
#include "worker/hostnet/host_engine.h"

namespace shoal::worker {
namespace {

constexpr const char* kComponent = "host_plane";
// Most are unseen within a millisecond, and the thread has nothing else to do for who waits.
constexpr std::chrono::microseconds kUnseenPoll{200};

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
    if (state_->endpoint(departed.id) != nullptr || links_.pending(departed.id) ||
        dns_.pending(departed.id))
      return true;
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

// With the port goes the interface. What the kernel is slow to let go of goes in parts, each on its
// thread; the endpoint has departed when all are done.
Status HostEngine::take_out(const DepartedEndpoint& departed, HostPass& result) {
  const EndpointId& id = departed.id;
  const vxlan::NamespaceState port = SHOAL_TRY(port_of(id, nullptr));
  const vxlan::Plan plan = vxlan::plan_remove_endpoint(id, port);
  std::shared_ptr<EndpointHandle> handle = endpoints_.take(id);
  std::shared_ptr<const OpenedNamespace> space(handle, handle ? &handle->opened : nullptr);
  if (handle == nullptr) {
    Result<OpenedNamespace> opened = open_namespace(departed.space);
    // A namespace that is gone took everything along.
    if (!opened && opened.error().code != ErrorClass::kNotFound) return opened.error();
    const bool other = opened.ok() && opened->fd.identity() != host_.identity();
    if (other) space = std::make_shared<const OpenedNamespace>(std::move(*opened));
  } else if (handle->dns_port == 0) {
    space.reset();
  }
  if (space != nullptr && dns_shared(id, space->ref)) space.reset();
  const int parts = (plan.empty() ? 0 : 1) + (space == nullptr ? 0 : 1);
  if (parts == 0) {
    depart(id);
    return ok_status();
  }
  const auto done = [this, id,
                     left = std::make_shared<std::atomic<int>>(parts)](const Status& removed) {
    if (!removed.ok()) {
      log::warn(kComponent, "endpoint {}: {}", id.str(), removed.error().message);
    } else if (--*left == 0) {
      depart(id);
    }
  };
  if (space != nullptr) dns_.add(dns_removal(id, std::move(space), done));
  if (plan.empty()) return ok_status();
  result.ops += plan.size();
  log_.add("endpoint " + id.str(), plan);
  links_.add({.endpoint = id,
              .space = {},
              .work =
                  [this, plan, handle = std::move(handle)] {
                    return vxlan::apply(
                        plan, {.host = &remover_, .overlay = &remover_, .overlay_space = &host_});
                  },
              .done = done});
  return wait_unseen(id, vxlan::port_name(id));
}

Status HostEngine::wait_unseen(const EndpointId& id, const std::string& link) const {
  ifreq request{};
  link.copy(request.ifr_name, sizeof request.ifr_name - 1);
  const auto seen = [&] { return ioctl(probe_.get(), SIOCGIFINDEX, &request) == 0; };
  while (seen()) {
    if (!links_.pending(id)) {
      return seen() ? unavailable("interface " + link + " cannot be removed") : ok_status();
    }
    std::this_thread::sleep_for(kUnseenPoll);
  }
  return ok_status();
}

void HostEngine::depart(const EndpointId& id) {
  if (options_.on_endpoint_departed) options_.on_endpoint_departed(id);
}

Removals::Removal HostEngine::dns_removal(const EndpointId& id,
                                          std::shared_ptr<const OpenedNamespace> space,
                                          std::function<void(const Status&)> done) {
  const vxlan::NamespaceIdentity identity = space->fd.identity();
  return {
      .endpoint = id,
      .space = identity,
      .work = [elsewhere = options_.dns_needed_elsewhere, space = std::move(space)]() -> Status {
        if (elsewhere && elsewhere(space->ref)) return ok_status();
        return vxlan::remove_dns_redirect(space->fd);
      },
      .done = std::move(done)};
}

bool HostEngine::dns_shared(const EndpointId& id, const NamespaceRef& space) const {
  const auto& all = state_->endpoints;
  const bool here = std::any_of(all.begin(), all.end(), [&](const auto& other) {
    return other->dns_port != 0 && same_space(other->space, space) && other->desired.id != id;
  });
  return here || (options_.dns_needed_elsewhere && options_.dns_needed_elsewhere(space));
}

// What departed is out already; the rest was given another namespace.
void HostEngine::forget_undesired() {
  for (auto at = touched_.begin(); at != touched_.end();) {
    const EndpointId id = *at;
    const HostEndpoint* const wanted = state_->endpoint(id);
    at = wanted == nullptr ? touched_.erase(at) : std::next(at);
    const EndpointHandle* const held = endpoints_.find(id);
    if (held == nullptr || (wanted != nullptr && wanted->space == held->requested)) continue;
    const std::shared_ptr<EndpointHandle> handle = endpoints_.take(id);
    if (handle->dns_port == 0 || dns_shared(id, handle->opened.ref)) continue;
    dns_.add(dns_removal(id, {handle, &handle->opened}, [](const Status& removed) {
      if (!removed.ok()) log::warn(kComponent, "{}", removed.error().message);
    }));
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
