#include "manager/control/commands.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/crypto/crypto.h"
#include "manager/control/network_spec.h"
#include "manager/control/queries.h"

namespace shoal::manager::control {
namespace {

constexpr size_t kSecretSize = 16;
constexpr size_t kGossipKeySize = 32;
constexpr size_t kUnlockKeySize = 32;
constexpr size_t kFirstKeys = 3;  // a full ring at once: rotation is the same from the first time
constexpr size_t kFirstPrimary = 1;
constexpr size_t kShortIdLength = 12;

template <typename Id>
Id random_id(Rng& rng) {
  std::array<uint8_t, 16> bytes{};
  rng.fill(bytes);
  return Id::from_random(bytes);
}

std::string random_bytes(Rng& rng, size_t size) {
  std::vector<uint8_t> bytes(size);
  rng.fill(bytes);
  return {bytes.begin(), bytes.end()};
}

bool has_family(const std::vector<Prefix>& pools, Family family) {
  return std::any_of(pools.begin(), pools.end(),
                     [family](const Prefix& pool) { return pool.ip.family() == family; });
}

}  // namespace

Result<Command> propose(const Store& store, Operation operation, Draw draw) {
  Command command{draw.now, draw.rng.next(), std::move(operation)};
  SHOAL_TRY(store.check(command));
  return command;
}

Result<Command> init_cluster(const Store& store, Cluster cluster, Node node, Draw draw) {
  if (cluster.id.empty()) cluster.id = random_id<ClusterId>(draw.rng);
  if (cluster.worker_secret.empty()) cluster.worker_secret = random_bytes(draw.rng, kSecretSize);
  if (cluster.manager_secret.empty()) cluster.manager_secret = random_bytes(draw.rng, kSecretSize);
  if (cluster.gossip_keys.keys.empty()) {
    for (uint64_t id = 1; id <= kFirstKeys; ++id) {
      cluster.gossip_keys.keys.push_back({id, random_bytes(draw.rng, kGossipKeySize)});
    }
    cluster.gossip_keys.primary = kFirstPrimary;
  }
  if (cluster.mask_length_v4 == 0) cluster.mask_length_v4 = kDefaultMaskLengthV4;
  if (cluster.mask_length_v6 == 0) cluster.mask_length_v6 = kDefaultMaskLengthV6;
  auto& pools = cluster.address_pools;
  if (!has_family(pools, Family::kV4)) pools.push_back(default_pool_v4());
  if (!has_family(pools, Family::kV6)) pools.push_back(random_ula_pool(draw.rng));
  return propose(store, InitCluster{std::move(cluster), std::move(node)}, draw);
}

Result<Command> create_network(const Store& store, NetworkSpec spec,
                               std::span<const HostRoute> host_routes, Draw draw) {
  CreateNetwork op;
  op.id = random_id<NetworkId>(draw.rng);
  op.spec = SHOAL_TRY(normalise(std::move(spec)));
  if (store.cluster() != nullptr && draws_subnets(op.spec)) {
    op.avoid = SHOAL_TRY(routes_to_avoid(host_routes, store.cluster()->address_pools));
  }
  Command command = SHOAL_TRY(propose(store, op, draw));
  SHOAL_TRY(check_overlap_with_routes(op.spec, host_routes));
  return command;
}

Result<Command> create_network_once(const Store& store, const Request& request, NetworkSpec spec,
                                    Draw draw) {
  const NetworkId id(request.id);
  const HandledRequest* before = SHOAL_TRY(store.handled(request.id, request.since));
  Command command{draw.now, draw.rng.next(), CreateNetwork{id, spec, {}}};
  if (before == nullptr) {
    command = SHOAL_TRY(create_network(store, std::move(spec), host_routes(store), draw));
    std::get<CreateNetwork>(command.operation).id = id;
  }
  command.request = request.id;
  command.since = request.since;
  return command;
}

Result<Command> remove_network_once(const Store& store, const Request& request,
                                    std::string_view network, Draw draw) {
  const HandledRequest* before = SHOAL_TRY(store.handled(request.id, request.since));
  Command command{draw.now, draw.rng.next(), RemoveNetwork{before ? before->network : NetworkId()}};
  if (before == nullptr) command = SHOAL_TRY(remove_network(store, network, draw));
  command.request = request.id;
  command.since = request.since;
  return command;
}

Result<Command> remove_network(const Store& store, std::string_view network, Draw draw) {
  const Network* found = SHOAL_TRY(store.find_network(network));
  return propose(store, RemoveNetwork{found->id}, draw);
}

Result<Command> attach_endpoint(const Store& store, EndpointId id, std::string_view network,
                                const NodeId& node, EndpointSpec spec, Draw draw) {
  const Network* found = SHOAL_TRY(store.find_network(network));
  if (id.empty()) id = random_id<EndpointId>(draw.rng);
  if (spec.name.empty()) spec.name = id.str().substr(0, kShortIdLength);
  std::set<std::string> seen;
  std::erase_if(spec.aliases,
                [&seen](const std::string& alias) { return !seen.insert(alias).second; });
  return propose(store, AttachEndpoint{std::move(id), found->id, node, std::move(spec)}, draw);
}

Result<Command> detach_endpoint(const Store& store, std::string_view network,
                                std::string_view endpoint, const NodeId& node, Draw draw) {
  const EndpointView view = SHOAL_TRY(inspect_endpoint(store, network, endpoint));
  return propose(store, DetachEndpoint{view.endpoint.id, node}, draw);
}

Result<Command> create_node(const Store& store, Node node, Draw draw) {
  if (node.id.empty()) node.id = random_id<NodeId>(draw.rng);
  return propose(store, CreateNode{std::move(node)}, draw);
}

Result<Command> update_node(const Store& store, std::string_view node, const NodeId& self,
                            const NodeChange& change, Draw draw) {
  const Node found = SHOAL_TRY(inspect_node(store, node, self));
  UpdateNode op;
  op.id = found.id;
  op.spec = found.spec;
  if (change.role) op.spec->role = *change.role;
  if (change.availability) op.spec->availability = *change.availability;
  if (change.labels) op.spec->labels = *change.labels;
  return propose(store, std::move(op), draw);
}

Result<Command> remove_node(const Store& store, std::string_view node, const NodeId& self,
                            bool force, Draw draw) {
  const Node found = SHOAL_TRY(inspect_node(store, node, self));
  return propose(store, RemoveNode{found.id, force}, draw);
}

Result<Command> rotate_join_token(const Store& store, Role role, std::string_view request_id,
                                  Draw draw) {
  std::string secret = random_bytes(draw.rng, kSecretSize);
  if (!request_id.empty() && store.cluster() != nullptr) {
    const std::string label = std::string(role == Role::kManager ? "manager" : "worker") +
                              " token " + std::string(request_id);
    const crypto::Key key = crypto::derive_key(as_bytes(store.cluster()->root_key), label);
    secret.assign(key.begin(), key.begin() + kSecretSize);
  }
  return propose(store, RotateJoinToken{role, std::move(secret)}, draw);
}

std::string unlock_key_of(const Cluster& cluster, std::string_view request_id) {
  const crypto::Key key =
      crypto::derive_key(as_bytes(cluster.root_key), "unlock key " + std::string(request_id));
  return {key.begin(), key.end()};
}

Result<Command> set_autolock(const Store& store, bool on, std::string_view request_id, Draw draw) {
  SetUnlockKey operation;
  if (on && store.cluster() != nullptr && !request_id.empty()) {
    operation.key = unlock_key_of(*store.cluster(), request_id);
  } else if (on) {
    operation.key = random_bytes(draw.rng, kUnlockKeySize);
  }
  return propose(store, std::move(operation), draw);
}

Result<Command> rotate_gossip_key(const Store& store, Draw draw) {
  GossipKey key;
  if (store.cluster() != nullptr) {
    for (const GossipKey& known : store.cluster()->gossip_keys.keys) {
      key.id = std::max(key.id, known.id + 1);
    }
  }
  key.key = random_bytes(draw.rng, kGossipKeySize);
  return propose(store, RotateGossipKey{std::move(key)}, draw);
}

}  // namespace shoal::manager::control
