#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {
namespace {

constexpr size_t kMaxFeatures = 64;  // a handful of words the kernel is asked for

// What a node says of itself is as hostile as what people write.
Status check_description(const NodeDescription& description) {
  size_t total = description.features.size() > kMaxFeatures ? kMaxTextLength + 1 : 0;
  for (const std::string* text : {&description.hostname, &description.os, &description.architecture,
                                  &description.version, &description.kernel}) {
    total += text->size();
  }
  for (const std::string& feature : description.features) total += feature.size();
  if (description.host_routes.size() > kMaxHostRoutes) {
    return invalid_argument("the node tells " + std::to_string(description.host_routes.size()) +
                            " routes of its host: at most " + std::to_string(kMaxHostRoutes) +
                            " are possible");
  }
  if (description.hostname.size() <= kMaxAliasLength && total <= kMaxTextLength) return ok_status();
  return invalid_argument("the node describes itself in too many words: a hostname has at most " +
                          std::to_string(kMaxAliasLength) + " characters, all together have " +
                          std::to_string(kMaxTextLength));
}

}  // namespace

Status Store::check_node_update(const Node& before, const Node& after) const {
  SHOAL_TRY(check_labels("node labels", after.spec.labels));
  SHOAL_TRY(check_description(after.description));
  if (after.status.message.size() > kMaxTextLength) {
    return invalid_argument("the status of node " + node_name(after.id) + " is too long: " +
                            std::to_string(kMaxTextLength) + " bytes are possible");
  }
  const bool demoted = before.spec.role == Role::kManager && after.spec.role != Role::kManager;
  if (demoted && managers_ == 1) {
    return conflict("node " + node_name(before.id) +
                    " is the last manager: promote another node first");
  }
  const auto holder = raft_ids_.find(after.raft_id);
  if (after.raft_id != 0 && holder != raft_ids_.end() && holder->second != after.id) {
    return conflict("raft id " + std::to_string(after.raft_id) + " is taken by node " +
                    node_name(holder->second));
  }
  return ok_status();
}

Result<Store::Plan> Store::plan(const CreateNode& op, const Context& context) const {
  SHOAL_TRY(NodeId::parse(op.node.id.str()));
  if (node(op.node.id) != nullptr) {
    return already_exists("node " + node_name(op.node.id) + " already exists");
  }
  if (removed_nodes_.contains(op.node.id)) {
    return conflict("node " + op.node.id.str() +
                    " was removed from the cluster: let it leave and join again");
  }
  SHOAL_TRY(check_node_update(Node{}, op.node));
  Node made = op.node;
  made.created_at = context.now;
  made.version = context.index;
  return Plan{made, {{made, false}}};
}

Result<Store::Plan> Store::plan(const UpdateNode& op, const Context& context) const {
  const Node* before = node(op.id);
  if (before == nullptr) return not_found("no such node: " + printable(op.id.str()));
  Node after = *before;
  if (op.spec) after.spec = *op.spec;
  if (op.description) after.description = *op.description;
  if (op.addresses) after.addresses = *op.addresses;
  if (op.status) after.status = *op.status;
  if (op.raft_id) after.raft_id = *op.raft_id;
  if (op.certified_role) after.certified_role = *op.certified_role;
  if (after == *before) return Plan{after, {}};
  SHOAL_TRY(check_node_update(*before, after));
  after.version = context.index;
  return Plan{after, {{after, false}}};
}

Result<Store::Plan> Store::plan(const RemoveNode& op, const Context& context) const {
  const Node* found = node(op.id);
  if (found == nullptr) return not_found("no such node: " + printable(op.id.str()));
  const std::string name = "node " + node_name(op.id);
  if (found->spec.role == Role::kManager) {
    return conflict(managers_ == 1 ? name +
                                         " is the last manager: promote another node, then "
                                         "demote this one first"
                                   : name + " is a manager: demote it first");
  }
  if (found->raft_id != 0) {
    return conflict(name + " is demoted and still leaving the managers: try again in a moment");
  }
  if (found->status.state == NodeState::kReady && !op.force) {
    return conflict(name + " is ready: let it leave or stop it first, or remove it with --force");
  }
  Plan result{*found, {}};
  for (const Endpoint* endpoint : endpoints_of_node(op.id)) {
    plan_release(*endpoint, context.now, result.changes);
  }
  Cluster after = *cluster_;
  // No certificate was issued later than now, so none is valid longer than this.
  const WallTime expires_at = context.now + after.node_certificate_validity;
  for (RemovedNode& removed : after.removed_nodes) {
    if (removed.expires_at.nanoseconds == 0) removed.expires_at = expires_at;
  }
  after.removed_nodes.push_back({op.id, expires_at});
  after.version = context.index;
  result.changes.push_back({std::move(after), false});
  result.changes.push_back({*found, true});
  return result;
}

}  // namespace shoal::manager
