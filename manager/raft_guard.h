// RaftGuard: whose raft streams are refused although their certificate says manager: nodes that
// were removed or demoted.
//
// Thread rule: written on the strand, asked on gRPC's threads; the mutex guards the set.
#pragma once

#include <mutex>
#include <unordered_set>
#include <vector>

#include "manager/model/command.h"
#include "manager/security/policy.h"
#include "manager/store/store.h"

namespace shoal::manager {

class RaftGuard {
 public:
  Status check(const Caller& caller) const {
    SHOAL_TRY(authorize(caller, Method::kRaft));
    const std::lock_guard lock(mutex_);
    if (!refused_.contains(caller.node)) return ok_status();
    return permission_denied("node " + caller.node.str() + " is not a manager any more");
  }

  // Of the cluster: the epoch of its raft group.
  uint64_t generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
  }

  void rebuild(const Store& store) {
    const std::lock_guard lock(mutex_);
    refused_.clear();
    if (const Cluster* cluster = store.cluster()) {
      generation_ = cluster->generation;
      for (const RemovedNode& node : cluster->removed_nodes) refused_.insert(node.id);
    }
    for (const Node* node : store.nodes()) {
      if (node->spec.role != Role::kManager) refused_.insert(node->id);
    }
  }

  // `store` is as it is after them.
  void applied(const std::vector<Change>& changes, const Store& store) {
    for (const Change& change : changes) {
      // It may have forgotten nodes that were removed long ago.
      if (std::holds_alternative<Cluster>(change.object)) return rebuild(store);
    }
    const std::lock_guard lock(mutex_);
    for (const Change& change : changes) {
      const auto* node = std::get_if<Node>(&change.object);
      if (node == nullptr) continue;
      if (change.removed || node->spec.role != Role::kManager) {
        refused_.insert(node->id);
      } else {
        refused_.erase(node->id);
      }
    }
  }

 private:
  mutable std::mutex mutex_;
  uint64_t generation_ = 0;  // changes by a new store only
  std::unordered_set<NodeId> refused_;
};

}  // namespace shoal::manager
