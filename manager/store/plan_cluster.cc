#include <algorithm>

#include "manager/allocator/subnet_plan.h"
#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {
namespace {

constexpr size_t kSecretSize = 16;
constexpr size_t kGossipKeySize = 32;
constexpr size_t kUnlockKeySize = 32;
// New, sealing and old: a node that missed one rotation still understands and is understood.
constexpr size_t kRingSize = 3;

// The second oldest of a full ring: all nodes got it a rotation ago. Of a shorter ring the oldest,
// which all have.
size_t primary_of(size_t keys) { return keys == kRingSize ? 1 : 0; }

Status check_secret(std::string_view secret) {
  if (secret.size() == kSecretSize) return ok_status();
  return invalid_argument("the secret of a join token has 16 bytes, not " +
                          std::to_string(secret.size()));
}

Status check_unlock_key(std::string_view key) {
  if (key.empty() || key.size() == kUnlockKeySize) return ok_status();
  return invalid_argument("an unlock key has 32 bytes, not " + std::to_string(key.size()));
}

Status check_key(const GossipKey& key) {
  if (key.key.size() == kGossipKeySize) return ok_status();
  return invalid_argument("a gossip key has 32 bytes, not " + std::to_string(key.key.size()));
}

}  // namespace

Result<Store::Plan> Store::plan(const InitCluster& op, const Context& context) const {
  if (cluster_) {
    return already_exists("the cluster is already initialised: its id is " + cluster_->id.str());
  }
  SHOAL_TRY(ClusterId::parse(op.cluster.id.str()));
  SHOAL_TRY(NodeId::parse(op.node.id.str()));
  SHOAL_TRY(check_pools(
      {op.cluster.address_pools, op.cluster.mask_length_v4, op.cluster.mask_length_v6}));
  SHOAL_TRY(check_secret(op.cluster.worker_secret));
  SHOAL_TRY(check_secret(op.cluster.manager_secret));
  SHOAL_TRY(check_unlock_key(op.cluster.unlock_key));
  if (op.cluster.worker_secret == op.cluster.manager_secret) {
    return invalid_argument("the worker and manager secrets must differ");
  }
  const GossipKeyRing& ring = op.cluster.gossip_keys;
  if (ring.keys.empty() || ring.keys.size() > kRingSize || ring.primary >= ring.keys.size()) {
    return invalid_argument("a cluster starts with 1 to 3 gossip keys, one of them primary");
  }
  for (const GossipKey& key : ring.keys) SHOAL_TRY(check_key(key));
  if (op.node.spec.role != Role::kManager) {
    return invalid_argument("the first node of a cluster is a manager");
  }
  SHOAL_TRY(check_node_update(Node{}, op.node));

  Cluster cluster = op.cluster;
  cluster.created_at = context.now;
  cluster.version = context.index;
  Node node = op.node;
  node.created_at = context.now;
  node.version = context.index;
  return Plan{cluster, {{cluster, false}, {node, false}}};
}

Result<Store::Plan> Store::plan(const RotateJoinToken& op, const Context& context) const {
  SHOAL_TRY(check_secret(op.secret));
  Cluster after = *cluster_;
  std::string& secret = op.role == Role::kManager ? after.manager_secret : after.worker_secret;
  const std::string& other = op.role == Role::kManager ? after.worker_secret : after.manager_secret;
  if (op.secret == other) return invalid_argument("the worker and manager secrets must differ");
  secret = op.secret;
  after.version = context.index;
  return Plan{after, {{after, false}}};
}

Result<Store::Plan> Store::plan(const RotateGossipKey& op, const Context& context) const {
  SHOAL_TRY(check_key(op.key));
  Cluster after = *cluster_;
  GossipKeyRing& ring = after.gossip_keys;
  const auto same_id = std::find_if(ring.keys.begin(), ring.keys.end(),
                                    [&](const GossipKey& key) { return key.id == op.key.id; });
  if (same_id != ring.keys.end()) {
    if (*same_id == op.key) return Plan{*cluster_, {}};
    return conflict("gossip key id " + std::to_string(op.key.id) + " is in the ring already");
  }
  if (ring.keys.size() == kRingSize) ring.keys.erase(ring.keys.begin());
  ring.keys.push_back(op.key);
  ring.primary = primary_of(ring.keys.size());
  after.version = context.index;
  return Plan{after, {{after, false}}};
}

Result<Store::Plan> Store::plan(const SetUnlockKey& op, const Context& context) const {
  SHOAL_TRY(check_unlock_key(op.key));
  if (op.key == cluster_->unlock_key) return Plan{*cluster_, {}};
  Cluster after = *cluster_;
  after.unlock_key = op.key;
  after.version = context.index;
  return Plan{after, {{after, false}}};
}

}  // namespace shoal::manager
