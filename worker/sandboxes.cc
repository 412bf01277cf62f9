#include "worker/sandboxes.h"

namespace shoal::worker {

std::string space_key(const NamespaceRef& space) {
  return std::to_string(space.device) + ":" + std::to_string(space.inode);
}

Status Sandboxes::sync(const NamespaceRef& space, std::vector<NetworkId> networks,
                       bool may_forward) {
  const std::string key = space_key(space);
  const auto known = ports_.find(key);
  if (networks.empty()) {
    if (known != ports_.end()) {
      resolvers_.stop(key);
      ports_.erase(known);
    }
    return ok_status();
  }
  if (known != ports_.end()) return resolvers_.update(key, std::move(networks), may_forward);
  const Result<uint16_t> port = resolvers_.serve(key, space, std::move(networks), may_forward);
  if (!port) return port.error();
  ports_.emplace(key, *port);
  return ok_status();
}

uint16_t Sandboxes::port(const NamespaceRef& space) const {
  const auto known = ports_.find(space_key(space));
  return known == ports_.end() ? 0 : known->second;
}

void Sandboxes::stop_all() {
  for (const auto& [key, port] : ports_) resolvers_.stop(key);
  ports_.clear();
}

}  // namespace shoal::worker
