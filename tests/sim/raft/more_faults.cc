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

// Losing this disk must cost no quorum, now and with any change of members that is on its way.
bool Cluster::may_damage(const Node& victim) {
  const Node* at = leader();
  if (at == nullptr || damaged_ != 0 || totals_.disks_damaged >= kMaxDamages) return false;
  const raft::Core& core = *at->core();
  const raft::Configuration& now = core.configuration();
  if (now.joint() || !now.contains(victim.id())) return false;
  std::map<RaftId, bool> rest;
  for (const RaftId id : now.voters().ids()) {
    const raft::Core* const other = nodes_[id - 1]->core();
    // A change is in effect where it is applied: who has not heard of it needs the old quorum.
    rest[id] = id != victim.id() && other != nullptr && !nodes_[id - 1]->disk().full &&
               other->configuration().list() == now.list();
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
             // The commit index is saved lazily: a restart may bring the old members back.
             return entry.index > std::min(applied, state.hard_state.commit) &&
                    changes_members(entry);
           });
  });
}

// A member does not start from a disk of which a bit is wrong; it is replaced by a new one.
void Cluster::damage_fault() {
  Node& victim = any();
  if (!may_damage(victim)) return;
  note("the disk of node " + std::to_string(victim.id()) + " is damaged");
  ++totals_.disks_damaged;
  damaged_ = victim.id();
  victim.damage();
  spare_ = nodes_.size() + 1;
  nodes_.push_back(std::make_unique<Node>(*this, spare_));
  nodes_.back()->start(false);
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
