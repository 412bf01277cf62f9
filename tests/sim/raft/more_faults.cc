// Faults of clocks, links that come and go, damaged disks and what an operator does about them, and
// more work than the bounds allow.
#include <algorithm>

#include "tests/sim/raft/cluster.h"

namespace shoal::sim {

using raft::Index;
using raft::RaftId;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Of one life; each costs a member for good.
constexpr uint64_t kMaxDamages = 2;

bool changes_members(const raft::Entry& entry) {
  return entry.type == raft::EntryType::kConfChange;
}

}  // namespace

// With a lease clocks may differ by a tenth in speed, and do not jump: that is its price. Without,
// safety depends on no clock. Civil time may be anything at any time.
void Cluster::clock_fault() {
  Node& node = any();
  const std::string who = " of node " + std::to_string(node.id());
  if (rng_.below(3) == 0) {
    node.clock().set_wall(seconds(rng_.below(7200)) - hours(1));
    return note("civil time" + who + " jumps");
  }
  if (base_.core.lease_reads) {
    node.clock().set_speed(0.955 + static_cast<double>(rng_.below(90)) / 1000);
    note("clock" + who + " drifts");
  } else if (rng_.below(2) == 0) {
    node.clock().set_speed(0.5 + static_cast<double>(rng_.below(1500)) / 1000);
    note("clock" + who + " changes its speed");
  } else {
    node.clock().jump(milliseconds(rng_.below(5000)));
    note("clock" + who + " jumps");
  }
  node.clock_changed();
}

// A link, or all links of a node, that come and go for some seconds; maybe in one direction only.
void Cluster::flap_fault() {
  const RaftId one = any().id();
  const RaftId other = any().id();
  const bool all = rng_.below(2) == 0;
  const bool one_way = rng_.below(2) == 0;
  const Duration period = milliseconds(20 + rng_.below(700));
  const uint64_t times = 4 + 2 * rng_.below(10);
  note("links of node " + std::to_string(one) + (all ? "" : " to " + std::to_string(other)) +
       " flap" + (one_way ? " one way" : ""));
  for (uint64_t i = 1; i <= times; ++i) {
    time_.after(static_cast<int64_t>(i) * period, [this, one, other, all, one_way, i] {
      if (healed_) return;
      for (RaftId to = 1; to <= nodes_.size(); ++to) {
        if (to == one || !(all || to == other)) continue;
        if (i % 2 == 1) {
          network_.cut.insert({one, to});
          if (!one_way) network_.cut.insert({to, one});
        } else {
          network_.cut.erase({one, to});
          network_.cut.erase({to, one});
        }
      }
    });
  }
}

// A leader that hears late how long it is trusted, and then nothing.
void Cluster::slow_answers_fault() {
  Node* at = leader();
  if (at == nullptr) return;
  note("node " + std::to_string(at->id()) + " hears everything late");
  const Network weather = network_;
  network_ = Network{.max_delay = milliseconds(3), .slow_to = at->id()};
  run_for(milliseconds(500 + rng_.below(600)));
  if (leader() == at) cut_off(*at);
  play(40, milliseconds(50));
  network_ = weather;
}

// Two members fall behind so far that they need a snapshot; one is still saving it, slowly, when
// the leader is lost, and leads. The other needs its snapshot from that one.
void Cluster::catch_up_fault() {
  Node* at = leader();
  if (at == nullptr) return;
  Node& first = any();
  Node& second = any();
  if (&first == at || &second == at || &first == &second || !first.up() || !second.up()) return;
  note("nodes " + std::to_string(first.id()) + " and " + std::to_string(second.id()) +
       " fall behind");
  const Network weather = network_;
  network_ = Network{};
  cut_off(first);
  cut_off(second);
  play(30, milliseconds(100));
  first.disk().latency = seconds(1);
  network_.cut.clear();
  cut_off(second);
  // In its log, not in its store.
  wait_for(seconds(2), [&] {
    return first.core() != nullptr &&
           first.core()->log().first_index() > first.store().applied_index() + 1;
  });
  run_for(milliseconds(rng_.below(400)));
  network_.cut.clear();
  if (Node* now = leader()) cut_off(*now);
  for (int i = 0; i < 12 && first.core() != nullptr && leader() != &first && !violation_; ++i) {
    run_for(milliseconds(100));
    if (first.up()) first.enter([&] { first.driver().campaign(); });
  }
  play(20, milliseconds(100));
  network_ = weather;
}

// A member that needs a snapshot is lost while it is sent one that does not end. When the leader
// gives that up, it has nobody to make another one for.
void Cluster::lost_receiver_fault() {
  Node* at = leader();
  Node& gone = any();
  if (at == nullptr || &gone == at || !gone.up()) return;
  note("node " + std::to_string(gone.id()) + " is lost while it is sent a snapshot");
  const Network weather = network_;
  network_ = Network{.endless_snapshots = true};
  cut_off(gone);
  play(30, milliseconds(100));
  network_.cut.clear();
  (void)wait_for(seconds(2), [&] {
    const Node* now = leader();
    if (now == nullptr || !now->core()->progress().contains(gone.id())) return false;
    return now->core()->progress().at(gone.id()).state == raft::ProgressState::kSnapshot;
  });
  gone.crash();
  play(60, milliseconds(200));
  network_ = weather;
}

// More commands and reads at once than the bounds allow.
void Cluster::storm_fault() {
  Node* at = leader();
  if (at == nullptr) return;
  note("storm at node " + std::to_string(at->id()));
  for (int i = 0; i < 20 && at->up(); ++i) clients_.propose(*at);
  for (int i = 0; i < 12 && at->up(); ++i) clients_.read(*at);
  Node& follower = any();
  for (int i = 0; i < 12 && follower.up(); ++i) clients_.read(follower);
}

// Losing this disk must cost no quorum, now and with any change of members that is on its way. One
// that is confirmed is on its way no more, whoever has not heard of it.
bool Cluster::may_damage(const Node& victim) {
  const Node* at = leader();
  if (at == nullptr || damaged_ != 0 || totals_.disks_damaged >= kMaxDamages) return false;
  const raft::Core& core = *at->core();
  const raft::Configuration& now = core.configuration();
  if (now.joint() || !now.contains(victim.id())) return false;
  if (core.confirmation().index > core.log().committed()) return false;
  std::map<RaftId, bool> rest;
  for (const RaftId id : now.voters().ids()) {
    rest[id] = id != victim.id() && !nodes_[id - 1]->damaged() && !nodes_[id - 1]->disk().full;
  }
  if (now.voters().vote_result(rest) != raft::VoteResult::kWon) return false;
  const Index applied = core.log().applied();
  for (Index i = applied + 1; i <= core.log().last_index(); ++i) {
    if (changes_members(core.log().at(i))) return false;
  }
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    const auto& state = node->disk().state;
    return node->damaged() ||
           std::none_of(state.entries.begin(), state.entries.end(), [&](const raft::Entry& entry) {
             return entry.index > applied && changes_members(entry);
           });
  });
}

// A member does not start from a disk of which a bit is wrong; it is replaced by a new one.
void Cluster::damage_fault() {
  Node& victim = any();
  if (!may_damage(victim)) return;
  damage(victim);
  if (rng_.below(2) == 0) damage_after_change();
}

void Cluster::damage(Node& victim) {
  note("the disk of node " + std::to_string(victim.id()) + " is damaged");
  ++totals_.disks_damaged;
  damaged_ = victim.id();
  victim.damage();
  spare_ = nodes_.size() + 1;
  nodes_.push_back(std::make_unique<Node>(*this, spare_));
  nodes_.back()->start(false);
}

// Nobody writes while the operator makes the group whole again. Then the next disk is lost, and all
// restart: nobody may need its vote.
void Cluster::damage_after_change() {
  const Network weather = network_;
  network_ = Network{};
  if (wait_for(seconds(10), [this] { return replace_damaged(); })) {
    Node& victim = any();
    if (may_damage(victim)) {
      damage(victim);
      power_cut(Duration(0));
      play(10, milliseconds(200));
    }
  }
  network_ = weather;
}

// A group of four voters that are all well; of five one has to go.
bool Cluster::of_four() {
  Node* at = leader();
  if (at == nullptr || at->core()->configuration().members().size() > 5) return false;
  if (at->core()->configuration().voters().ids().size() == 5) {
    const RaftId first = at->core()->configuration().voters().ids().front();
    const RaftId last = at->core()->configuration().voters().ids().back();
    change(*at, {raft::ConfChangeKind::kRemove, {.id = first == at->id() ? last : first}});
    if (!wait_for(seconds(5), [this] { return !changing_; })) return false;
  }
  at = leader();
  if (at == nullptr || !may_damage(*at)) return false;
  const std::vector<RaftId>& voters = at->core()->configuration().voters().ids();
  return voters.size() == 4 && std::all_of(voters.begin(), voters.end(), [this](RaftId id) {
           return nodes_[id - 1]->core() != nullptr;
         });
}

// Of four voters one that has fallen behind becomes a learner, and is the only one to hear that it
// is; from a snapshot. Then the leader is lost for good. The other two need three, and what they
// have is less than the learner has: it must lead.
void Cluster::former_voter_fault() {
  const Network weather = network_;
  network_ = Network{};
  if (!of_four()) {
    network_ = weather;
    return;
  }
  Node& at = *leader();
  const std::vector<RaftId> voters = at.core()->configuration().voters().ids();
  const RaftId id = voters[0] == at.id() ? voters[1] : voters[0];
  Node& former = *nodes_[id - 1];
  note("node " + std::to_string(id) + " becomes a learner without hearing of it");
  former.disk().latency = milliseconds(1);
  cut_off(former);
  play(30, milliseconds(100));
  const auto knows = [&](const Node& node) {
    return node.core() != nullptr && node.core()->configuration().contains(id) &&
           !node.core()->configuration().is_voter(id);
  };
  run_for(milliseconds(200));
  if (leader() == &at && may_damage(at)) {
    at.enter([&] {
      at.driver().change_members(
          {.changes = {{raft::ConfChangeKind::kAddLearner, {id, address(id), true}}}},
          [](const Status&) {});
    });
    for (const RaftId other : voters) network_.cut.insert({at.id(), other});
    if (at.up() && wait_for(milliseconds(300), [&] { return knows(at); })) {
      network_.cut.erase({at.id(), id});
      network_.cut.erase({id, at.id()});
      (void)wait_for(milliseconds(400), [&] { return knows(former); });
      former.crash();
      damage(at);
      former.start(false);
    }
  }
  network_.cut.clear();
  play(20, milliseconds(200));
  network_ = weather;
}

bool Cluster::replace_damaged() {
  if (damaged_ == 0) return true;
  Node* at = leader();
  if (at == nullptr || changing_) return false;
  const auto& members = at->core()->configuration().members();
  const auto spare = members.find(spare_);
  if (members.contains(damaged_)) {
    change(*at, {raft::ConfChangeKind::kRemove, {.id = damaged_}});
  } else if (spare == members.end()) {
    change(*at, {raft::ConfChangeKind::kAddLearner, {spare_, address(spare_), true}});
  } else if (spare->second.learner) {
    change(*at, {raft::ConfChangeKind::kAddVoter, {spare_, address(spare_), false}});
  } else {
    note("node " + std::to_string(damaged_) + " is replaced by " + std::to_string(spare_));
    ++totals_.replaced;
    damaged_ = spare_ = 0;
    return true;
  }
  return false;
}

}  // namespace shoal::sim
