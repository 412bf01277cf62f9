// What sessions are told: complete at first, then what changed.
#include <algorithm>
#include <array>

#include "manager/dispatcher/dispatcher.h"

namespace shoal::manager {
namespace {

// What every worker learns of every node.
Node peer_view(const Node& node) {
  Node out;
  out.id = node.id;
  out.spec.role = node.spec.role;
  out.description.hostname = node.description.hostname;
  out.addresses = node.addresses;
  out.version = node.version;
  return out;
}

}  // namespace

void Dispatcher::applied(const std::vector<Change>& changes, Instant now) {
  if (!leading_) return;
  for (const Change& change : changes) note_change(change, now);
}

void Dispatcher::note_change(const Change& change, Instant now) {
  if (const auto* node = std::get_if<Node>(&change.object)) {
    note_node(*node, change.removed, now);
  } else if (std::holds_alternative<Cluster>(change.object)) {
    common_stale_ = true;
  } else if (const auto* network = std::get_if<Network>(&change.object)) {
    for (auto& [stream, session] : sessions_) {
      if (!session.registered) continue;
      session.networks.insert(network->id);
      if (!session.writing) dirty_.insert(stream);
    }
  } else if (const auto* endpoint = std::get_if<Endpoint>(&change.object)) {
    const auto owner = by_node_.find(endpoint->node_id);
    if (owner == by_node_.end()) return;
    Session& session = sessions_.at(owner->second);
    session.endpoints.insert(endpoint->id);
    if (!session.writing) dirty_.insert(owner->second);
  }
}

void Dispatcher::note_node(const Node& node, bool removed, Instant now) {
  const auto known = public_.find(node.id);
  if (removed) {
    if (const auto it = health_.find(node.id); it != health_.end()) {
      if (!it->second.expired) deadlines_.erase({it->second.deadline, node.id});
      health_.erase(it);
    }
    wishes_.erase(node.id);
    if (const auto session = by_node_.find(node.id); session != by_node_.end()) {
      close(session->second,
            permission_denied("node " + node.id.str() + " was removed from the cluster"));
    }
    if (known == public_.end()) return;
    public_.erase(known);
  } else {
    watch(node, now);
    wishes_.insert(node.id);  // the answer to a proposal, or a wish of someone else
    if (const auto session = by_node_.find(node.id); session != by_node_.end()) {
      sessions_.at(session->second).cluster_dirty = true;
      if (!sessions_.at(session->second).writing) dirty_.insert(session->second);
    }
    if (known != public_.end() && known->second == public_part(node)) return;
    public_[node.id] = public_part(node);
  }
  common_stale_ = true;
  for (auto& [stream, session] : sessions_) {
    if (!session.registered) continue;
    session.nodes.insert(node.id);
    if (!session.writing) dirty_.insert(stream);
  }
}

// Everyone gets ClusterInfo again when the part that is the same for all changed.
void Dispatcher::refresh_common() {
  common_stale_ = false;
  const Cluster* cluster = store_.cluster();
  if (cluster == nullptr) return;
  ClusterInfo info;
  info.cluster_id = cluster->id;
  info.gossip_keys = cluster->gossip_keys;
  info.data_path_port = cluster->data_path_port;
  const auto& removed = cluster->removed_nodes;
  for (size_t i = removed.size() - std::min(removed.size(), kMaxRemovedNodesTold);
       i < removed.size(); ++i) {
    info.removed_nodes.push_back(removed[i].id);
  }
  std::vector<HostPort> extra;
  for (const Node* node : store_.nodes()) {
    if (node->spec.role == Role::kManager) {
      Node view = peer_view(*node);
      view.raft_id = node->raft_id;
      view.version = 0;  // compared below: only what is told counts
      info.managers.push_back(std::move(view));
      if (node->addresses.gossip) info.gossip_seeds.push_back(*node->addresses.gossip);
    } else if (node->addresses.gossip && extra.size() < kMaxExtraSeeds) {
      extra.push_back(*node->addresses.gossip);
    }
  }
  info.gossip_seeds.insert(info.gossip_seeds.end(), extra.begin(), extra.end());
  if (info == common_) return;
  common_ = std::move(info);
  for (auto& [stream, session] : sessions_) {
    if (!session.registered) continue;
    session.cluster_dirty = true;
    if (!session.writing) dirty_.insert(stream);
  }
}

ClusterInfo Dispatcher::info_for(const NodeId& id) const {
  ClusterInfo info = common_;
  if (const Node* node = store_.node(id)) info.node = *node;
  return info;
}

std::vector<SessionMessage> Dispatcher::batch(Session& session) {
  std::vector<SessionMessage> out;
  if (session.greet) {
    if (session.sequence == 0) {
      std::array<uint8_t, 16> random;
      rng_.fill(random);
      out.emplace_back(Registered{id_from_random(random), period()});
    }
    out.emplace_back(info_for(session.node));
    out.emplace_back(complete_for(session));
  } else {
    if (session.cluster_dirty) out.emplace_back(info_for(session.node));
    if (!session.networks.empty() || !session.endpoints.empty() || !session.nodes.empty()) {
      out.emplace_back(delta_for(session));
    }
  }
  for (SessionMessage& message : out) {
    if (auto* assignments = std::get_if<Assignments>(&message)) {
      assignments->sequence = ++session.sequence;
    }
  }
  if (session.ack_due) out.emplace_back(HeartbeatAck{});
  session.greet = session.cluster_dirty = session.ack_due = false;
  session.networks.clear();
  session.endpoints.clear();
  session.nodes.clear();
  return out;
}

Assignments Dispatcher::complete_for(const Session& session) const {
  Assignments out;
  out.complete = true;
  for (const Network* network : store_.networks()) out.networks.push_back(*network);
  for (const Endpoint* endpoint : store_.endpoints_of_node(session.node)) {
    out.endpoints.push_back(*endpoint);
  }
  for (const Node* node : store_.nodes()) out.nodes.push_back(peer_view(*node));
  return out;
}

Assignments Dispatcher::delta_for(const Session& session) const {
  Assignments out;
  for (const NetworkId& id : session.networks) {
    if (const Network* network = store_.network(id)) {
      out.networks.push_back(*network);
    } else {
      out.removed_networks.push_back(id);
    }
  }
  for (const EndpointId& id : session.endpoints) {
    const Endpoint* endpoint = store_.endpoint(id);
    if (endpoint != nullptr && endpoint->node_id == session.node) {
      out.endpoints.push_back(*endpoint);
    } else {
      out.removed_endpoints.push_back(id);
    }
  }
  for (const NodeId& id : session.nodes) {
    if (const Node* node = store_.node(id)) {
      out.nodes.push_back(peer_view(*node));
    } else {
      out.removed_nodes.push_back(id);
    }
  }
  return out;
}

}  // namespace shoal::manager
