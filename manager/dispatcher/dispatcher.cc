#include "manager/dispatcher/dispatcher.h"

#include <algorithm>
#include <utility>

namespace shoal::manager {
Duration Dispatcher::period() const {
  const Cluster* cluster = store_.cluster();
  return cluster != nullptr ? cluster->heartbeat_period : Cluster().heartbeat_period;
}

Dispatcher::PublicNode Dispatcher::public_part(const Node& node) {
  return {node.description.hostname, node.addresses, node.spec.role, node.raft_id};
}

void Dispatcher::become_leader(Instant now) {
  if (leading_) return;
  leading_ = true;
  store_replaced(now);
}

void Dispatcher::step_down(const Error& reason) {
  leading_ = false;
  for (const auto& [stream, session] : sessions_) closes_.push_back({stream, reason, false});
  sessions_.clear();
  by_node_.clear();
  health_.clear();
  deadlines_.clear();
  wishes_.clear();
  dirty_.clear();
  writing_.clear();
  unregistered_.clear();
  public_.clear();
  networks_changed_.clear();
  nodes_changed_.clear();
  everything_.clear();
}

void Dispatcher::store_replaced(Instant now) {
  if (!leading_) return;
  for (auto it = health_.begin(); it != health_.end();) {
    const NodeId id = it->first;
    ++it;
    if (store_.node(id) == nullptr) note_node(Node{.id = id}, true, now);
  }
  everything_.clear();
  public_.clear();
  for (const Node* node : store_.nodes()) {
    public_[node->id] = public_part(*node);
    watch(*node, now);
    wishes_.insert(node->id);
  }
  refresh_common();
  for (auto& [stream, session] : sessions_) {
    if (!session.registered) continue;
    session.greet = true;
    if (!session.writing) dirty_.insert(stream);
  }
}

void Dispatcher::watch(const Node& node, Instant now) {
  const auto [it, added] = health_.try_emplace(node.id);
  if (!added) return;
  Health& health = it->second;
  if (node.status.state == NodeState::kDown) {
    health.expired = true;
  } else {
    refresh_deadline(node.id, health, now + period() * kMissedHeartbeats * kNewLeaderFactor);
  }
}

void Dispatcher::refresh_deadline(const NodeId& id, Health& health, Instant deadline) {
  if (!health.expired) deadlines_.erase({health.deadline, id});
  health.expired = false;
  health.deadline = deadline;
  deadlines_.insert({deadline, id});
}

void Dispatcher::opened(StreamId stream, const NodeId& node, Instant now) {
  if (!leading_) {
    closes_.push_back({stream, unavailable("this manager is not the leader"), false});
    return;
  }
  if (sessions_.size() - by_node_.size() >= kMaxUnregistered) {
    closes_.push_back({stream, resource_exhausted("too many streams wait to register"), false});
    return;
  }
  Session& session = sessions_[stream];
  session.node = node;
  session.register_by = now + kRegisterWithin;
  unregistered_.insert({session.register_by, stream});
}

void Dispatcher::registered(StreamId stream, NodeDescription description, NodeAddresses addresses,
                            Instant now) {
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  Session& session = it->second;
  const NodeId node = session.node;
  const auto health = health_.find(node);
  if (health == health_.end()) {
    close(stream, permission_denied("node " + node.str() +
                                    " is not part of the cluster: it was removed; run `shoal leave "
                                    "--force` on it, and join it again"));
    return;
  }
  // The newer session wins: the older stream is one whose end has not been noticed yet.
  if (const auto old = by_node_.find(node); old != by_node_.end() && old->second != stream) {
    close(old->second, conflict("node " + node.str() + " opened a newer session"));
  }
  by_node_[node] = stream;
  session.registered = true;
  unregistered_.erase({session.register_by, stream});
  session.greet = true;
  if (!session.writing) dirty_.insert(stream);
  health->second.stream = stream;
  health->second.heard = true;
  health->second.description = std::move(description);
  health->second.addresses = std::move(addresses);
  health->second.proposed = false;
  refresh_deadline(node, health->second, now + period() * kMissedHeartbeats);
  wishes_.insert(node);
}

void Dispatcher::described(StreamId stream, NodeDescription description, Instant now) {
  (void)now;
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  if (!it->second.registered) {
    close(stream, invalid_argument("a session begins with Register"));
    return;
  }
  Health& health = health_.at(it->second.node);
  health.description = std::move(description);
  health.proposed = false;
  wishes_.insert(it->second.node);
}

void Dispatcher::heartbeat(StreamId stream, Instant now) {
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  Session& session = it->second;
  if (!session.registered) {
    close(stream, invalid_argument("a session begins with Register"));
    return;
  }
  heard(stream, now);
  session.ack_due = true;
  if (!session.writing) dirty_.insert(stream);
}

void Dispatcher::heard(StreamId stream, Instant when) {
  const auto it = sessions_.find(stream);
  if (it == sessions_.end() || !it->second.registered) return;
  Health& health = health_.at(it->second.node);
  const Instant deadline = when + period() * kMissedHeartbeats;
  if (deadline > health.deadline) refresh_deadline(it->second.node, health, deadline);
}

void Dispatcher::written(StreamId stream, Instant now) {
  (void)now;
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  it->second.writing = false;
  writing_.erase(stream);
  if (it->second.due()) dirty_.insert(stream);
}

// The node stays ready until its deadline: a daemon that restarts is back before it.
void Dispatcher::closed(StreamId stream, Instant now) {
  (void)now;
  forget_stream(stream);
}

void Dispatcher::close(StreamId stream, Error reason, bool stuck) {
  closes_.push_back({stream, std::move(reason), stuck});
  forget_stream(stream);
}

void Dispatcher::forget_stream(StreamId stream) {
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  if (const auto owner = by_node_.find(it->second.node);
      owner != by_node_.end() && owner->second == stream) {
    by_node_.erase(owner);
    if (const auto health = health_.find(it->second.node); health != health_.end()) {
      health->second.stream.reset();
    }
  }
  unregistered_.erase({it->second.register_by, stream});
  sessions_.erase(it);
  dirty_.erase(stream);
  writing_.erase(stream);
}

void Dispatcher::tick(Instant now) {
  if (!leading_) return;
  if (now >= everything_until_) everything_.clear();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const NodeId id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Health& health = health_.at(id);
    health.expired = true;
    health.proposed = false;
    wishes_.insert(id);
    if (health.stream) {
      close(*health.stream, deadline_exceeded("no heartbeat for " +
                                              std::to_string(kMissedHeartbeats) + " periods"));
    }
  }
  while (!unregistered_.empty() && unregistered_.begin()->first <= now) {
    close(unregistered_.begin()->second,
          deadline_exceeded("a session begins with Register, and none came"));
  }
  std::vector<StreamId> stuck;
  for (const StreamId stream : writing_) {
    if (sessions_.at(stream).write_started + period() * kSlowStreamPeriods <= now) {
      stuck.push_back(stream);
    }
  }
  for (const StreamId stream : stuck) {
    close(stream, resource_exhausted("the worker does not read its session"), true);
  }
}

Instant Dispatcher::next_deadline() const {
  if (!leading_) return Instant::max();
  Instant next = deadlines_.empty() ? Instant::max() : deadlines_.begin()->first;
  if (!unregistered_.empty()) next = std::min(next, unregistered_.begin()->first);
  for (const StreamId stream : writing_) {
    next = std::min(next, sessions_.at(stream).write_started + period() * kSlowStreamPeriods);
  }
  for (const NodeId& id : wishes_) {
    const Health& health = health_.at(id);
    next = std::min(next, health.proposed ? health.propose_after : Instant{});
  }
  return next;
}

NodeState Dispatcher::state_of(const Node& node) const {
  if (!leading_ || node.status.state != NodeState::kReady) return node.status.state;
  const auto health = health_.find(node.id);
  return health != health_.end() && health->second.heard ? NodeState::kReady : NodeState::kUnknown;
}

// What the store should say of a node and does not.
std::optional<Operation> Dispatcher::wish(const Node& node, const Health& health) const {
  const bool never_registered = node.status.state == NodeState::kUnknown && node.raft_id == 0;
  const bool last_manager = node.spec.role == Role::kManager && store_.manager_count() == 1;
  if (health.expired && never_registered && !last_manager) {
    if (node.spec.role == Role::kWorker) return RemoveNode{node.id, true};
    UpdateNode demotion{.id = node.id, .spec = node.spec};
    demotion.spec->role = Role::kWorker;
    return demotion;
  }
  UpdateNode update{.id = node.id};
  bool differs = false;
  if (health.expired) {
    if (node.status.state != NodeState::kDown) {
      update.status = NodeStatus{NodeState::kDown, "no heartbeat"};
      differs = true;
    }
  } else if (health.heard && node.status.state != NodeState::kReady) {
    update.status = NodeStatus{NodeState::kReady, ""};
    differs = true;
  }
  if (health.description && *health.description != node.description) {
    update.description = health.description;
    differs = true;
  }
  if (health.addresses && *health.addresses != node.addresses) {
    update.addresses = health.addresses;
    differs = true;
  }
  if (!differs) return std::nullopt;
  return update;
}

Dispatcher::Effects Dispatcher::take_effects(Instant now) {
  Effects effects;
  if (leading_) {
    for (auto it = wishes_.begin(); it != wishes_.end();) {
      Health& health = health_.at(*it);
      const Node* node = store_.node(*it);
      auto update = node != nullptr ? wish(*node, health) : std::nullopt;
      if (!update) {
        health.proposed = false;
        it = wishes_.erase(it);
        continue;
      }
      if (!health.proposed || health.propose_after <= now) {
        health.proposed = true;
        health.propose_after = now + kProposeAgain;
        effects.commands.push_back(std::move(*update));
      }
      ++it;
    }
    if (common_stale_) refresh_common();
    begin_round();
    for (const StreamId stream : dirty_) {
      Session& session = sessions_.at(stream);
      session.writing = true;
      session.write_started = now;
      writing_.insert(stream);
      effects.send.push_back({stream, batch(session, now)});
    }
    dirty_.clear();
    round_.clear();
  }
  effects.close = std::exchange(closes_, {});
  return effects;
}

}  // namespace shoal::manager
