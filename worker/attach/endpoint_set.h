// EndpointSet: the endpoints whose namespaces a plane holds open, which of them something happened
// to, and which are gone. Owned by the plane's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "worker/attach/handles.h"

namespace shoal::worker {

class EndpointSet {
 public:
  struct Gone {
    NamespaceRef space;
    std::string reason;
  };

  explicit EndpointSet(WatchSet& watches) : watches_(watches) {}

  // Opens the namespace when it is not held yet. Errors as open_namespace()'s.
  Result<EndpointHandle*> ensure(const EndpointId& id, const NamespaceRef& space);
  EndpointHandle* find(const EndpointId& id);
  const EndpointHandle* find(const EndpointId& id) const;
  void erase(const EndpointId& id);
  // Out of the set, for its owner to end: closing its sockets waits for the kernel. Null when it is
  // not held.
  std::shared_ptr<EndpointHandle> take(const EndpointId& id);
  const std::map<EndpointId, EndpointHandle>& all() const { return handles_; }

  // True when the token is an endpoint's; it is noted what happened.
  bool handle_event(uint64_t token);
  // Where notifications came from, until settle().
  const std::set<EndpointId>& stirred() const { return stirred_; }
  void settle() { stirred_.clear(); }

  // Endpoints whose namespace or process is over, and why: of all, or of those said to have ended.
  std::map<EndpointId, std::string> take_ended(bool everywhere);

  // The handle goes, which would keep the namespace alive; false when it was known.
  bool mark_gone(const EndpointId& id, const NamespaceRef& space, const std::string& reason);
  const std::map<EndpointId, Gone>& gone() const { return gone_; }
  // Forgets those that are not wanted any more or were given another namespace. `wanted`: where an
  // endpoint should be, null when nowhere.
  void review_gone(const std::function<const NamespaceRef*(const EndpointId&)>& wanted);

 private:
  WatchSet& watches_;
  std::map<EndpointId, EndpointHandle> handles_;
  std::map<uint64_t, EndpointId> tokens_;
  std::map<EndpointId, Gone> gone_;
  std::set<EndpointId> stirred_;
  std::set<EndpointId> ended_;
};

}  // namespace shoal::worker
