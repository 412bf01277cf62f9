#include "worker/hostnet/host_state.h"

#include <algorithm>

namespace shoal::worker {

const HostEndpoint* HostState::endpoint(const EndpointId& id) const {
  const auto found = std::lower_bound(
      endpoints.begin(), endpoints.end(), id,
      [](const auto& endpoint, const EndpointId& wanted) { return endpoint->desired.id < wanted; });
  if (found == endpoints.end() || (*found)->desired.id != id) return nullptr;
  return found->get();
}

std::set<std::string> HostPass::failures() const {
  std::set<std::string> out;
  for (const Error& error : problems) out.insert(error.message);
  for (const auto& [id, error] : network_errors) {
    out.insert("network " + id.str() + ": " + error.message);
  }
  for (const auto& [id, error] : endpoint_errors) {
    out.insert("endpoint " + id.str() + ": " + error.message);
  }
  return out;
}

}  // namespace shoal::worker
