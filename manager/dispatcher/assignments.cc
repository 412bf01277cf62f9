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

// Lists of any length, as messages of kMaxListed objects.
class Parts {
 public:
  // Where the next object goes.
  Assignments& next() {
    if (listed_++ % kMaxListed == 0) parts_.emplace_back();
    return parts_.back();
  }
  std::vector<Assignments> own() && { return std::move(parts_); }
  std::vector<SharedNews> shared() && {
    std::vector<SharedNews> out;
    for (Assignments& part : parts_) {
      out.push_back(std::make_shared<const Assignments>(std::move(part)));
    }
    return out;
  }

 private:
  size_t listed_ = 0;
  std::vector<Assignments> parts_;
};

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
    networks_changed_.insert(network->id);
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
  nodes_changed_.insert(node.id);
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

// What changed goes to every session: those that take a message now share it, the others add it to
// what they missed.
void Dispatcher::begin_round() {
  if (networks_changed_.empty() && nodes_changed_.empty()) return;
  everything_.clear();
  for (auto& [stream, session] : sessions_) {
    if (!session.registered || session.greet) continue;
    if (session.writing || session.missed()) {
      session.networks.insert(networks_changed_.begin(), networks_changed_.end());
      session.nodes.insert(nodes_changed_.begin(), nodes_changed_.end());
    }
    if (!session.writing) dirty_.insert(stream);
  }
  round_ = news_of(networks_changed_, nodes_changed_);
  networks_changed_.clear();
  nodes_changed_.clear();
}

std::vector<Told> Dispatcher::batch(Session& session, Instant now) {
  std::vector<Told> out;
  if (session.greet && session.sequence == 0) {
    std::array<uint8_t, 16> random;
    rng_.fill(random);
    out.push_back({Registered{id_from_random(random), period()}, nullptr});
  }
  if (session.greet || session.cluster_dirty) out.push_back({info_for(session.node), nullptr});
  std::vector<Told> assignments = assignments_for(session, now);
  for (size_t i = 0; i < assignments.size(); ++i) {
    auto& message = std::get<Assignments>(assignments[i].message);
    message.complete = session.greet && i == 0;
    message.more = i + 1 < assignments.size();
    message.sequence = ++session.sequence;
    out.push_back(std::move(assignments[i]));
  }
  if (session.ack_due) out.push_back({HeartbeatAck{}, nullptr});
  session.greet = session.cluster_dirty = session.ack_due = false;
  session.networks.clear();
  session.endpoints.clear();
  session.nodes.clear();
  return out;
}

// Networks and nodes first, then the endpoints on them.
std::vector<Told> Dispatcher::assignments_for(const Session& session, Instant now) {
  std::vector<SharedNews> news;
  std::vector<Assignments> endpoints;
  if (session.greet) {
    news = everything(now);
    endpoints = endpoints_of(session.node);
  } else {
    news = session.missed() ? news_of(session.networks, session.nodes) : round_;
    endpoints = changed_endpoints_of(session);
  }
  std::vector<Told> out;
  for (SharedNews& part : news) out.push_back({Assignments{}, std::move(part)});
  if (out.empty() && session.greet) out.push_back({Assignments{}, nullptr});
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (i > 0 || out.empty()) out.emplace_back();
    out.back().message = std::move(endpoints[i]);
  }
  return out;
}

std::vector<SharedNews> Dispatcher::news_of(const std::set<NetworkId>& networks,
                                            const std::set<NodeId>& nodes) const {
  Parts parts;
  for (const NodeId& id : nodes) {
    if (const Node* node = store_.node(id)) {
      parts.next().nodes.push_back(peer_view(*node));
    } else {
      parts.next().removed_nodes.push_back(id);
    }
  }
  for (const NetworkId& id : networks) {
    if (const Network* network = store_.network(id)) {
      parts.next().networks.push_back(*network);
    } else {
      parts.next().removed_networks.push_back(id);
    }
  }
  return std::move(parts).shared();
}

const std::vector<SharedNews>& Dispatcher::everything(Instant now) {
  if (everything_.empty()) {
    Parts parts;
    for (const Node* node : store_.nodes()) parts.next().nodes.push_back(peer_view(*node));
    for (const Network* network : store_.networks()) parts.next().networks.push_back(*network);
    everything_ = std::move(parts).shared();
    everything_until_ = now + kKeepComplete;
  }
  return everything_;
}

std::vector<Assignments> Dispatcher::endpoints_of(const NodeId& node) const {
  Parts parts;
  for (const Endpoint* endpoint : store_.endpoints_of_node(node)) {
    parts.next().endpoints.push_back(*endpoint);
  }
  return std::move(parts).own();
}

std::vector<Assignments> Dispatcher::changed_endpoints_of(const Session& session) const {
  Parts parts;
  for (const EndpointId& id : session.endpoints) {
    const Endpoint* endpoint = store_.endpoint(id);
    if (endpoint != nullptr && endpoint->node_id == session.node) {
      parts.next().endpoints.push_back(*endpoint);
    } else {
      parts.next().removed_endpoints.push_back(id);
    }
  }
  return std::move(parts).own();
}

}  // namespace shoal::manager
