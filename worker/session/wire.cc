#include "worker/session/wire.h"

#include "manager/wire/common_wire.h"

namespace shoal::worker {
namespace {

// Of the file that what the managers said is kept in.
constexpr size_t kMaxMessage = 512U << 20;
// What one message may list.
constexpr size_t kMaxObjects = 1U << 20;

template <typename Id, typename List>
Result<std::vector<Id>> ids(const List& list, const char* field) {
  if (static_cast<size_t>(list.size()) > kMaxObjects) {
    return invalid_argument(std::string(field) + ": too many");
  }
  std::vector<Id> out;
  for (const std::string& text : list) out.push_back(SHOAL_TRY(Id::parse(text)));
  return out;
}

template <typename T, typename List>
Result<std::vector<T>> objects(const List& list) {
  std::vector<T> out;
  for (const auto& item : list) out.push_back(SHOAL_TRY(manager::wire::from_wire(item)));
  return out;
}

}  // namespace

Result<ClusterInfo> from_wire(const dispatch::ClusterInfo& cluster) {
  ClusterInfo out;
  out.cluster_id = SHOAL_TRY(ClusterId::parse(cluster.cluster_id()));
  out.node = SHOAL_TRY(manager::wire::from_wire(cluster.node()));
  out.managers = SHOAL_TRY(objects<manager::Node>(cluster.managers()));
  out.gossip_keys = SHOAL_TRY(manager::wire::from_wire(cluster.gossip_keys()));
  if (cluster.data_path_port() == 0 || cluster.data_path_port() > UINT16_MAX) {
    return invalid_argument("data_path_port " + std::to_string(cluster.data_path_port()));
  }
  out.data_path_port = static_cast<uint16_t>(cluster.data_path_port());
  for (const std::string& seed : cluster.gossip_seeds()) {
    out.gossip_seeds.push_back(SHOAL_TRY(HostPort::parse(seed)));
  }
  out.removed_nodes = SHOAL_TRY(ids<NodeId>(cluster.removed_nodes(), "removed_nodes"));
  return out;
}

Result<Assignments> from_wire(const dispatch::Assignments& assignments) {
  Assignments out;
  out.complete = assignments.complete();
  out.more = assignments.more();
  out.sequence = assignments.sequence();
  out.networks = SHOAL_TRY(objects<manager::Network>(assignments.networks()));
  out.endpoints = SHOAL_TRY(objects<manager::Endpoint>(assignments.endpoints()));
  out.nodes = SHOAL_TRY(objects<manager::Node>(assignments.nodes()));
  out.removed_networks =
      SHOAL_TRY(ids<NetworkId>(assignments.removed_networks(), "removed_networks"));
  out.removed_endpoints =
      SHOAL_TRY(ids<EndpointId>(assignments.removed_endpoints(), "removed_endpoints"));
  out.removed_nodes = SHOAL_TRY(ids<NodeId>(assignments.removed_nodes(), "removed_nodes"));
  return out;
}

Result<std::optional<Session::Input>> from_wire(const dispatch::ManagerMessage& message) {
  using Input = std::optional<Session::Input>;
  switch (message.message_case()) {
    case dispatch::ManagerMessage::kRegistered:
      return Input(
          Registered{message.registered().session_id(),
                     std::chrono::milliseconds(message.registered().heartbeat_period_ms())});
    case dispatch::ManagerMessage::kCluster:
      return Input(SHOAL_TRY(from_wire(message.cluster())));
    case dispatch::ManagerMessage::kAssignments:
      return Input(SHOAL_TRY(from_wire(message.assignments())));
    case dispatch::ManagerMessage::kHeartbeatAck:
      return Input(Session::HeartbeatAck{});
    case dispatch::ManagerMessage::MESSAGE_NOT_SET:
      break;
  }
  return Input(std::nullopt);
}

dispatch::ClusterInfo to_wire(const ClusterInfo& cluster) {
  dispatch::ClusterInfo out;
  out.set_cluster_id(cluster.cluster_id.str());
  *out.mutable_node() = manager::wire::to_wire(cluster.node);
  for (const manager::Node& node : cluster.managers) {
    *out.add_managers() = manager::wire::to_wire(node);
  }
  *out.mutable_gossip_keys() = manager::wire::to_wire(cluster.gossip_keys);
  out.set_data_path_port(cluster.data_path_port);
  for (const HostPort& seed : cluster.gossip_seeds) out.add_gossip_seeds(seed.str());
  for (const NodeId& id : cluster.removed_nodes) out.add_removed_nodes(id.str());
  return out;
}

dispatch::Assignments to_wire(const Assignments& assignments) {
  dispatch::Assignments out;
  out.set_complete(assignments.complete);
  out.set_sequence(assignments.sequence);
  for (const auto& network : assignments.networks) {
    *out.add_networks() = manager::wire::to_wire(network);
  }
  for (const auto& endpoint : assignments.endpoints) {
    *out.add_endpoints() = manager::wire::to_wire(endpoint);
  }
  for (const auto& node : assignments.nodes) *out.add_nodes() = manager::wire::to_wire(node);
  for (const auto& id : assignments.removed_networks) out.add_removed_networks(id.str());
  for (const auto& id : assignments.removed_endpoints) out.add_removed_endpoints(id.str());
  for (const auto& id : assignments.removed_nodes) out.add_removed_nodes(id.str());
  return out;
}

// Messages one after the other read as one that has all of their objects.
Bytes encode_cache(const ClusterInfo& cluster, const Catalogue::Content& content,
                   const std::function<void()>& between) {
  std::string complete = to_wire(Assignments{.complete = true}).SerializeAsString();
  dispatch::Assignments one;
  const auto add = [&] {
    one.AppendToString(&complete);
    one.Clear();
    between();
  };
  for (const auto& network : content.networks) {
    *one.add_networks() = manager::wire::to_wire(*network);
    add();
  }
  for (const auto& endpoint : content.endpoints) {
    *one.add_endpoints() = manager::wire::to_wire(endpoint);
    add();
  }
  for (const auto& node : content.nodes) {
    *one.add_nodes() = manager::wire::to_wire(node);
    add();
  }
  ByteWriter out;
  out.text(to_wire(cluster).SerializeAsString());
  out.text(complete);
  return encode_frame(kCacheKind, out.view());
}

Result<CachedCluster> decode_cache(ByteView file, const std::string& path) {
  const Bytes payload = SHOAL_TRY(decode_frame(kCacheKind, file, path));
  ByteReader in(payload);
  const ByteView cluster_bytes = in.bytes(kMaxMessage);
  const ByteView assignments_bytes = in.bytes(kMaxMessage);
  dispatch::ClusterInfo cluster;
  dispatch::Assignments assignments;
  if (!in.done() ||
      !cluster.ParseFromArray(cluster_bytes.data(), static_cast<int>(cluster_bytes.size())) ||
      !assignments.ParseFromArray(assignments_bytes.data(),
                                  static_cast<int>(assignments_bytes.size()))) {
    return data_loss(path + " has a good checksum and impossible content");
  }
  CachedCluster out;
  out.cluster = SHOAL_TRY(from_wire(cluster));
  out.assignments = SHOAL_TRY(from_wire(assignments));
  return out;
}

}  // namespace shoal::worker
