// RaftGuard: whose raft links and snapshots are taken, and for which raft member each may speak.
//
// A certificate says which node it is and that it is a manager; the store says the rest: nodes that
// were removed or demoted are refused although their certificate still says manager, and a raft id
// belongs to one node. An id that no node here has may be anybody's: a manager that joined after
// what this one's log tells must reach it, or it could never catch up. The ids of members are known
// from then on, for the node object is written before its id becomes a member.
//
// Thread rule: written on the strand, asked on gRPC's threads; the mutex guards all but the
// counters.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "manager/model/command.h"
#include "manager/security/policy.h"
#include "manager/store/store.h"

namespace shoal::manager {

class RaftGuard {
 public:
  // Who opens a stream. kUnauthenticated, kPermissionDenied: not a manager (any more).
  Result<NodeId> identify(const Caller& caller);
  // Whether `node` is the raft member `raft_id`. kPermissionDenied: somebody else is, or the node
  // is no manager any more.
  Status admit(const NodeId& node, uint64_t raft_id);
  // Of the cluster: the epoch of its raft group.
  uint64_t generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
  }

  void rebuild(const Store& store);
  // `store` is as it is after them.
  void applied(const std::vector<Change>& changes, const Store& store);

  // What was refused, by the names of the metrics.
  std::map<std::string, uint64_t> counters() const;

 private:
  Status check_manager(const NodeId& node) const;
  void put(const Node& node);
  void erase(const NodeId& node);

  mutable std::mutex mutex_;
  uint64_t generation_ = 0;  // changes by a new store only
  std::unordered_set<NodeId> refused_;
  std::unordered_map<uint64_t, NodeId> owners_;  // by raft id
  std::unordered_map<NodeId, uint64_t> raft_ids_;
  std::atomic<uint64_t> not_managers_{0};
  std::atomic<uint64_t> impostors_{0};
};

}  // namespace shoal::manager
