#include "manager/raft_guard.h"

namespace shoal::manager {

Status RaftGuard::check_manager(const NodeId& node) const {
  if (!refused_.contains(node)) return ok_status();
  return permission_denied("node " + node.str() + " is not a manager any more");
}

Result<NodeId> RaftGuard::identify(const Caller& caller) {
  Status status = authorize(caller, Method::kRaft);
  if (status) {
    const std::lock_guard lock(mutex_);
    status = check_manager(caller.node);
  }
  if (status) return caller.node;
  ++not_managers_;
  return status.error();
}

Status RaftGuard::admit(const NodeId& node, uint64_t raft_id) {
  const std::lock_guard lock(mutex_);
  if (Status status = check_manager(node); !status) {
    ++not_managers_;
    return status;
  }
  const auto owner = owners_.find(raft_id);
  if (owner == owners_.end() || owner->second == node) return ok_status();
  ++impostors_;
  return permission_denied("raft member " + std::to_string(raft_id) + " is node " +
                           owner->second.str() + ", not node " + node.str());
}

void RaftGuard::put(const Node& node) {
  if (node.spec.role == Role::kManager) {
    refused_.erase(node.id);
  } else {
    refused_.insert(node.id);
  }
  const auto known = raft_ids_.find(node.id);
  if (known != raft_ids_.end()) {
    if (known->second == node.raft_id) return;
    erase(node.id);
  }
  if (node.raft_id == 0) return;
  raft_ids_[node.id] = node.raft_id;
  owners_[node.raft_id] = node.id;
}

void RaftGuard::erase(const NodeId& node) {
  const auto known = raft_ids_.find(node);
  if (known == raft_ids_.end()) return;
  owners_.erase(known->second);
  raft_ids_.erase(known);
}

void RaftGuard::rebuild(const Store& store) {
  const std::lock_guard lock(mutex_);
  refused_.clear();
  owners_.clear();
  raft_ids_.clear();
  if (const Cluster* cluster = store.cluster()) {
    generation_ = cluster->generation;
    for (const RemovedNode& node : cluster->removed_nodes) refused_.insert(node.id);
  }
  for (const Node* node : store.nodes()) put(*node);
}

void RaftGuard::applied(const std::vector<Change>& changes, const Store& store) {
  for (const Change& change : changes) {
    // It may have forgotten nodes that were removed long ago.
    if (std::holds_alternative<Cluster>(change.object)) return rebuild(store);
  }
  const std::lock_guard lock(mutex_);
  for (const Change& change : changes) {
    const auto* node = std::get_if<Node>(&change.object);
    if (node == nullptr) continue;
    if (change.removed) {
      erase(node->id);
      refused_.insert(node->id);
    } else {
      put(*node);
    }
  }
}

std::map<std::string, uint64_t> RaftGuard::counters() const {
  return {{"raft_streams_not_manager_total", not_managers_},
          {"raft_streams_impostor_total", impostors_}};
}

}  // namespace shoal::manager
