#include <algorithm>
#include <type_traits>

#include "manager/wire/checks.h"
#include "manager/wire/common_wire.h"
#include "manager/wire/store_messages.h"
#include "manager/wire/store_wire.h"

namespace shoal::manager::wire {
namespace {

constexpr uint32_t kMaxHeartbeatMs = 3'600'000;

Result<std::string> secret(const std::string& value) {
  // Absent in a cluster that has not been made whole; otherwise of the one size there is.
  if (!value.empty() && value.size() != kSecretSize) {
    return invalid_argument("a join secret must be 16 bytes long");
  }
  return value;
}

Result<std::string> unlock_key(const std::string& value) {
  if (!value.empty() && value.size() != kUnlockKeySize) {
    return invalid_argument("an unlock key must be 32 bytes long");
  }
  return value;
}

Result<uint8_t> mask_length(uint32_t value, uint32_t bits) {
  if (value > bits) {
    return invalid_argument("mask length " + std::to_string(value) + " is more than " +
                            std::to_string(bits));
  }
  return static_cast<uint8_t>(value);
}

store::Quarantined to_wire(const Quarantined& quarantined) {
  store::Quarantined out;
  out.set_network_id(quarantined.network_id.str());
  out.set_address(quarantined.address.str());
  out.set_until(quarantined.until.nanoseconds);
  return out;
}

store::AddressCursor to_wire(const AddressCursor& cursor) {
  store::AddressCursor out;
  out.set_network_id(cursor.network_id.str());
  out.set_subnet(cursor.subnet.str());
  out.set_next(cursor.next.str());
  return out;
}

Result<AddressCursor> from_wire(const store::AddressCursor& cursor) {
  AddressCursor out;
  out.network_id = SHOAL_TRY(NetworkId::parse(cursor.network_id()));
  out.subnet = SHOAL_TRY(parsed<Prefix>(cursor.subnet(), "the subnet of a cursor"));
  out.next = SHOAL_TRY(parsed<Ip>(cursor.next(), "the address of a cursor"));
  return out;
}

store::HandledRequest to_wire(const HandledRequest& handled) {
  store::HandledRequest out;
  out.set_id(handled.id);
  out.set_network_id(handled.network.str());
  out.set_index(handled.index);
  return out;
}

Result<HandledRequest> from_wire(const store::HandledRequest& handled) {
  if (!is_id(handled.id())) return invalid_argument("a request's id is no id");
  HandledRequest out{handled.id(), {}, handled.index()};
  out.network = SHOAL_TRY(NetworkId::parse(handled.network_id()));
  return out;
}

Result<Quarantined> from_wire(const store::Quarantined& quarantined) {
  Quarantined out;
  out.network_id = SHOAL_TRY(NetworkId::parse(quarantined.network_id()));
  out.address = SHOAL_TRY(parsed<Ip>(quarantined.address(), "a quarantined address"));
  out.until = {quarantined.until()};
  return out;
}

}  // namespace

store::Cluster to_wire(const Cluster& cluster) {
  store::Cluster out;
  out.set_id(cluster.id.str());
  out.set_root_certificate(cluster.root_certificate);
  out.set_root_key(cluster.root_key);
  out.set_worker_secret(cluster.worker_secret);
  out.set_manager_secret(cluster.manager_secret);
  out.set_unlock_key(cluster.unlock_key);
  *out.mutable_gossip_keys() = to_wire(cluster.gossip_keys);
  for (const Prefix& pool : cluster.address_pools) out.add_address_pools(pool.str());
  out.set_mask_length_v4(cluster.mask_length_v4);
  out.set_mask_length_v6(cluster.mask_length_v6);
  out.set_data_path_port(cluster.data_path_port);
  out.set_heartbeat_period_ms(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(cluster.heartbeat_period).count()));
  out.set_node_certificate_validity(cluster.node_certificate_validity.count());
  out.set_created_at(cluster.created_at.nanoseconds);
  out.set_version(cluster.version);
  out.set_generation(cluster.generation);
  for (const RemovedNode& node : cluster.removed_nodes) {
    out.add_removed_nodes(node.id.str());
    out.add_removed_nodes_expire_at(node.expires_at.nanoseconds);
  }
  out.set_next_vni(cluster.next_vni.value);
  put_unknown(cluster.unknown, out);
  return out;
}

Result<Cluster> from_wire(const store::Cluster& cluster) {
  Cluster out;
  out.id = SHOAL_TRY(ClusterId::parse(cluster.id()));
  out.root_certificate =
      SHOAL_TRY(text(cluster.root_certificate(), "the root certificate", kMaxPem));
  out.root_key = SHOAL_TRY(text(cluster.root_key(), "the root key", kMaxPem));
  out.worker_secret = SHOAL_TRY(secret(cluster.worker_secret()));
  out.manager_secret = SHOAL_TRY(secret(cluster.manager_secret()));
  out.unlock_key = SHOAL_TRY(unlock_key(cluster.unlock_key()));
  out.gossip_keys = SHOAL_TRY(wire::from_wire(cluster.gossip_keys()));
  out.address_pools =
      SHOAL_TRY(list<Prefix>(cluster.address_pools(), "the address pools", kMaxPools,
                             [](const std::string& pool) { return Prefix::parse(pool); }));
  out.mask_length_v4 = SHOAL_TRY(mask_length(cluster.mask_length_v4(), 32));
  out.mask_length_v6 = SHOAL_TRY(mask_length(cluster.mask_length_v6(), 128));
  if (cluster.data_path_port() > UINT16_MAX) {
    return invalid_argument("data path port " + std::to_string(cluster.data_path_port()) +
                            " is not a port");
  }
  out.data_path_port = static_cast<uint16_t>(cluster.data_path_port());
  if (cluster.heartbeat_period_ms() == 0 || cluster.heartbeat_period_ms() > kMaxHeartbeatMs) {
    return invalid_argument("the heartbeat period must be from 1 ms to 1 h");
  }
  out.heartbeat_period = std::chrono::milliseconds(cluster.heartbeat_period_ms());
  if (cluster.node_certificate_validity() <= 0) {
    return invalid_argument("the validity of node certificates must be positive");
  }
  out.node_certificate_validity = Duration(cluster.node_certificate_validity());
  out.created_at = {cluster.created_at()};
  out.version = cluster.version();
  out.generation = cluster.generation();
  out.removed_nodes =
      SHOAL_TRY(list<RemovedNode>(cluster.removed_nodes(), "removed nodes", kMaxRemovedNodes,
                                  [](const std::string& id) -> Result<RemovedNode> {
                                    return RemovedNode{SHOAL_TRY(NodeId::parse(id)), WallTime{}};
                                  }));
  const auto& expiries = cluster.removed_nodes_expire_at();
  for (int i = 0; i < std::min(expiries.size(), cluster.removed_nodes_size()); ++i) {
    out.removed_nodes[static_cast<size_t>(i)].expires_at = {expiries[i]};
  }
  if (cluster.next_vni() > Vni::kMax) {
    return invalid_argument("the next VNI does not fit 24 bits");
  }
  out.next_vni = Vni{cluster.next_vni()};
  out.unknown = SHOAL_TRY(unknown_of(cluster));
  return out;
}

store::Object to_wire(const Object& object) {
  store::Object out;
  std::visit(
      [&out](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Cluster>) *out.mutable_cluster() = to_wire(value);
        if constexpr (std::is_same_v<T, Network>) *out.mutable_network() = wire::to_wire(value);
        if constexpr (std::is_same_v<T, Endpoint>) *out.mutable_endpoint() = wire::to_wire(value);
        if constexpr (std::is_same_v<T, Node>) *out.mutable_node() = wire::to_wire(value);
        if constexpr (std::is_same_v<T, Quarantined>) *out.mutable_quarantined() = to_wire(value);
        if constexpr (std::is_same_v<T, AddressCursor>) {
          *out.mutable_address_cursor() = to_wire(value);
        }
        if constexpr (std::is_same_v<T, HandledRequest>) {
          *out.mutable_handled_request() = to_wire(value);
        }
      },
      object);
  return out;
}

Result<Object> from_wire(const store::Object& object) {
  switch (object.object_case()) {
    case store::Object::kCluster:
      return Object(SHOAL_TRY(from_wire(object.cluster())));
    case store::Object::kNetwork:
      return Object(SHOAL_TRY(wire::from_wire(object.network())));
    case store::Object::kEndpoint:
      return Object(SHOAL_TRY(wire::from_wire(object.endpoint())));
    case store::Object::kNode:
      return Object(SHOAL_TRY(wire::from_wire(object.node())));
    case store::Object::kQuarantined:
      return Object(SHOAL_TRY(from_wire(object.quarantined())));
    case store::Object::kAddressCursor:
      return Object(SHOAL_TRY(from_wire(object.address_cursor())));
    case store::Object::kHandledRequest:
      return Object(SHOAL_TRY(from_wire(object.handled_request())));
    case store::Object::OBJECT_NOT_SET:
      break;
  }
  return unimplemented("its kind is not known to this version of shoald: upgrade it");
}

}  // namespace shoal::manager::wire
