// Sandboxes: one DNS resolver for each namespace that has an endpoint, whatever the number of its
// networks. Used on the strand only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/ports.h"

namespace shoal::worker {

// The name of a namespace, the same for every reference that was completed for it.
std::string space_key(const NamespaceRef& space);

class Sandboxes {
 public:
  explicit Sandboxes(Resolvers& resolvers) : resolvers_(resolvers) {}

  // Makes the namespace's resolver answer for `networks` (in attach order), starting it for the
  // first and stopping it for none.
  Status sync(const NamespaceRef& space, std::vector<NetworkId> networks, bool may_forward);
  // The port it listens on; 0 when it does not.
  uint16_t port(const NamespaceRef& space) const;
  size_t size() const { return ports_.size(); }
  void stop_all();

 private:
  Resolvers& resolvers_;
  std::map<std::string, uint16_t> ports_;
};

}  // namespace shoal::worker
