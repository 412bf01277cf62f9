// What goes wrong in a life of the cluster.
#include "tests/sim/raft/cluster.h"

namespace shoal::sim {

using raft::Index;
using raft::Member;
using raft::RaftId;
using std::chrono::milliseconds;
using std::chrono::seconds;

void Cluster::one_fault() {
  switch (rng_.below(22)) {
    case 0:
    case 1:
      return crash_fault();
    case 2:
    case 3:
    case 4: {
      Node& node = any();
      if (node.up()) return;
      note("start of node " + std::to_string(node.id()));
      return node.start(false);
    }
    case 5:
      return cut_fault();
    case 6:
      return flap_fault();
    case 7:
      return disk_fault();
    case 8:
      return membership_fault();
    case 9:
      return power_cut(milliseconds(rng_.below(20)));
    case 10:
      return relay_fault();
    case 11:
      return restart_fault();
    case 12:
      return rng_.below(2) == 0 ? former_voter_fault() : damage_fault();
    case 13:
      return storm_fault();
    case 14:
    case 15:
      return clock_fault();
    case 16:
      return hasty_fault();
    case 19:
      return rng_.below(4) == 0 ? lost_receiver_fault() : catch_up_fault();
    case 18:
      return slow_answers_fault();
    case 17:
      return membership_fault();
    default:
      return transfer_fault();
  }
}

// At once, or inside one of the next calls it makes to disk, network or state machine.
void Cluster::crash_fault() {
  Node& node = rng_.below(3) == 0 && leader() != nullptr ? *leader() : any();
  if (!node.up()) return;
  const uint64_t steps = rng_.below(3) == 0 ? 0 : 1 + rng_.below(60);
  note("crash of node " + std::to_string(node.id()) + " after " + std::to_string(steps) + " steps");
  if (steps == 0) return node.crash();
  node.crash_after(steps);
}

// Everything that was not synced is lost everywhere, with answers on their way.
void Cluster::power_cut(Duration from_now) {
  note("power cut");
  run_for(from_now);
  for (auto& node : nodes_) node->crash();
  for (auto& node : nodes_) node->start(false);
}

void Cluster::cut_fault() {
  if (rng_.below(2) == 0) return network_.cut.clear();
  const RaftId one = any().id();
  const bool one_way = rng_.below(2) == 0;
  for (RaftId other = 1; other <= nodes_.size(); ++other) {
    if (other == one || rng_.below(3) == 0) continue;
    note("cut " + std::to_string(one) + (one_way ? " -> " : " <-> ") + std::to_string(other));
    network_.cut.insert({one, other});
    if (!one_way) network_.cut.insert({other, one});
  }
}

void Cluster::disk_fault() {
  Node& node = any();
  switch (rng_.below(4)) {
    case 0:
      if (rng_.below(2) == 0) {
        node.disk().full_at_snapshot = true;
        return note("disk of node " + std::to_string(node.id()) + " fills up with a snapshot");
      }
      node.disk().full = true;
      return note("disk of node " + std::to_string(node.id()) + " is full");
    case 1:
      node.disk().latency = milliseconds(1 + rng_.below(rng_.below(3) == 0 ? 900 : 200));
      return note("disk of node " + std::to_string(node.id()) + " is slow");
    default:
      node.disk().full = node.disk().full_at_snapshot = false;
      node.disk().latency = milliseconds(1);
  }
}

// A voter leaves and, later, comes back: the same id with the same disk.
void Cluster::membership_fault() {
  Node* at = leader();
  // The operator has enough to do.
  if (at == nullptr || damaged_ != 0) return;
  const RaftId id = any().id();
  if (rng_.below(2) == 0) return joint_fault(*at);
  raft::ConfChangeSet set{.changes = {{raft::ConfChangeKind::kRemove, Member{.id = id}}},
                          .single = true};
  if (rng_.below(3) != 0) {
    const bool learner = rng_.below(2) == 0;
    const auto kind = learner ? raft::ConfChangeKind::kAddLearner : raft::ConfChangeKind::kAddVoter;
    set.changes = {{kind, {id, address(id), learner}}};
  }
  note("change " + std::to_string(static_cast<int>(set.changes[0].kind)) + " of " +
       std::to_string(id));
  at->enter([&] { at->driver().change_members(set, [](const Status&) {}); });
  // Its own removal, and clients that ask on.
  if (id == at->id() && set.changes[0].kind == raft::ConfChangeKind::kRemove) {
    for (int i = 0; i < 20 && at->up(); ++i) {
      clients_.propose(*at);
      run_for(milliseconds(2));
    }
    return;
  }
  // To one that may have gone by the time it could take over.
  if (rng_.below(4) != 0 || !at->up()) return;
  at->enter([&] { (void)at->driver().transfer(id); });
}

// An operator who does not wait: one member after the other is to go, or come back, at once; and
// then nobody hears the leader.
void Cluster::hasty_fault() {
  Node* at = leader();
  if (at == nullptr || damaged_ != 0) return;
  const auto kind =
      rng_.below(3) == 0 ? raft::ConfChangeKind::kAddVoter : raft::ConfChangeKind::kRemove;
  note("many changes at once: " + std::to_string(static_cast<int>(kind)));
  // One that will know of them long before it has them.
  Node& slow = any();
  if (&slow != at && rng_.below(2) == 0) slow.disk().latency = milliseconds(1500);
  for (RaftId id = 1; id <= nodes_.size() && at->up(); ++id) {
    if (id == at->id() || nodes_[id - 1]->damaged()) continue;
    const raft::ConfChangeSet set{.changes = {{kind, {id, address(id), false}}}, .single = true};
    at->enter([&] { at->driver().change_members(set, [](const Status&) {}); });
  }
  // Until it committed them, or before.
  const Index last = at->up() && at->core() != nullptr ? at->core()->log().last_index() : 0;
  const bool wait = rng_.below(3) != 0;
  for (int ms = 0; ms < 200 && at->core() != nullptr && !violation_; ++ms) {
    if (!wait || at->core()->log().committed() >= last) break;
    run_for(milliseconds(1));
  }
  cut_off(*at);
  play(20, milliseconds(150));
  network_.cut.clear();
}

// Several change at once; one that is left only when told may stay so for a while. Now and then the
// leader wants to be alone, and is, from the moment it has both halves.
void Cluster::joint_fault(Node& at) {
  raft::ConfChangeSet set;
  set.transition = static_cast<raft::Transition>(rng_.below(3));
  const bool joint = raft::Configuration(at.driver().members()).joint();
  const bool alone = !joint && rng_.below(3) == 0;
  std::string what;
  const auto add = [&](RaftId id, raft::ConfChangeKind kind) {
    set.changes.push_back({kind, {id, address(id), kind == raft::ConfChangeKind::kAddLearner}});
    what += " " + std::to_string(static_cast<int>(kind)) + ":" + std::to_string(id);
  };
  for (const Member& member : at.driver().members()) {
    if (alone && member.id != at.id()) add(member.id, raft::ConfChangeKind::kAddLearner);
  }
  for (uint64_t i = joint || alone ? 0 : 1 + rng_.below(3); i > 0; --i) {
    add(any().id(), static_cast<raft::ConfChangeKind>(1 + rng_.below(3)));
  }
  note("change together" + what);
  const auto done = [this, leaves = set.leaves_joint()](const Status& status) {
    if (status) ++(leaves ? totals_.joints_left : totals_.joints_entered);
  };
  if (alone) alone_ = at.id();
  at.enter([&] { at.driver().change_members(set, done); });
  if (!at.up()) return;
  if (!alone && rng_.below(2) == 0) return;
  play(2, milliseconds(30));
  cut_off(at);
  play(20, milliseconds(100));
  network_.cut.clear();
}

void Cluster::members_told(const Node& node, const std::vector<Member>& members) {
  if (node.id() != alone_ || healed_ || !raft::Configuration(members).joint()) return;
  alone_ = 0;
  cut_off(node);
}

void Cluster::play(uint64_t steps, Duration longest) {
  for (uint64_t i = 0; i < steps && !violation_; ++i) {
    run_for(Duration(static_cast<int64_t>(rng_.below(uint64_t(longest.count())))));
    clients_.some();
  }
}

void Cluster::cut_off(const Node& node) {
  note("cut off node " + std::to_string(node.id()));
  for (RaftId other = 1; other <= nodes_.size(); ++other) {
    network_.cut.insert({node.id(), other});
    network_.cut.insert({other, node.id()});
  }
}

// The way to the paper's figure 8: two leaders die with entries nobody else has, the first of them
// comes back and dies the moment it commits something, and the second comes back.
void Cluster::relay_fault() {
  Node* gone = nullptr;
  for (int leg = 0; leg < 3 && !violation_; ++leg) {
    network_.mute_appends = leg < 2;
    if (!wait_for(seconds(3), [&] { return leader() != nullptr; })) break;
    Node& at = *leader();
    const Index committed = at.core()->log().committed();
    if (leg < 2) clients_.propose(at);
    // Long enough for a save, or until it commits.
    for (int ms = 0; ms < 100 && at.core() != nullptr && !violation_; ++ms) {
      run_for(milliseconds(1));
      if (leg == 2 && at.core() != nullptr && at.core()->log().committed() > committed) break;
    }
    if (!at.up() || &at == gone) break;
    note("crash of the leader " + std::to_string(at.id()));
    at.crash();
    if (gone != nullptr) gone->start(false);
    gone = &at;
  }
  network_.mute_appends = false;
  if (gone == nullptr) return;
  wait_for(seconds(2), [&] { return leader() != nullptr; });
  gone->start(false);
}

// One member has long lost the leader, the others restart and have forgotten it; then the leader is
// alone, and does not know.
void Cluster::restart_fault() {
  Node* at = leader();
  if (at == nullptr) return;
  Node& stray = any();
  network_.cut.insert({at->id(), stray.id()});
  network_.cut.insert({stray.id(), at->id()});
  // No writes: its log must stay good enough to be elected by.
  run_for(milliseconds(700 + rng_.below(800)));
  if (violation_ || leader() != at) return network_.cut.clear();
  for (auto& node : nodes_) {
    if (node.get() == at || node.get() == &stray || !node->up()) continue;
    node->crash();
    node->start(false);
  }
  cut_off(*at);
  play(20, milliseconds(50));
  network_.cut.clear();
}

// The word to take over comes when its receiver has given its leader up.
void Cluster::slow_hand_over(Node& at, RaftId to) {
  network_.slow_hand_over = true;
  at.enter([&] { (void)at.driver().transfer(to); });
  run_for(milliseconds(50));
  network_.slow_hand_over = false;
  network_.cut.insert({at.id(), to});
  play(20, milliseconds(250));
  network_.cut.clear();
}

void Cluster::transfer_fault() {
  Node* at = leader();
  if (at == nullptr) return;
  const RaftId to = any().id();
  note("hand over from " + std::to_string(at->id()) + " to " + std::to_string(to));
  if (rng_.below(5) == 0) return slow_hand_over(*at, to);
  at->enter([&] { (void)at->driver().transfer(to); });
  if (rng_.below(2) == 0) return;
  run_for(milliseconds(rng_.below(10)));
  cut_off(*at);
  play(20, milliseconds(30));
  network_.cut.clear();
}

}  // namespace shoal::sim
