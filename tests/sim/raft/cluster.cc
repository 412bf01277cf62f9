#include "tests/sim/raft/cluster.h"

#include <algorithm>
#include <cstdio>

namespace shoal::sim {

using raft::Index;
using raft::Member;
using raft::RaftId;
using raft::RaftStatus;
using raft::Term;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Promised to operators: commands work again within this after the leader is lost.
constexpr auto kFailoverBound = seconds(3);

}  // namespace

std::string address(RaftId id) { return "n" + std::to_string(id); }

void Totals::add(const Totals& other) {
  commands_done += other.commands_done;
  commands_unknown += other.commands_unknown;
  reads_done += other.reads_done;
  snapshots_installed += other.snapshots_installed;
  leaders += other.leaders;
  crashes += other.crashes;
  storage_failures += other.storage_failures;
  joints_entered += other.joints_entered;
  joints_left += other.joints_left;
}

bool Totals::all_seen() const {
  return commands_done != 0 && commands_unknown != 0 && reads_done != 0 &&
         snapshots_installed != 0 && leaders != 0 && crashes != 0 && storage_failures != 0 &&
         joints_entered != 0 && joints_left != 0;
}

Cluster::Cluster(uint64_t seed, bool trace) : seed_(seed), trace_(trace), rng_(seed) {
  size_ = rng_.below(3) == 0 ? 5 : 3;
  // Small bounds, so that snapshots, chunks of appends and full windows are met in a short run.
  base_.snapshot_entries = 5 + rng_.below(60);
  base_.keep_entries = rng_.below(10);
  base_.hold_log_bytes = rng_.below(2) == 0 ? 0 : 2000;
  // Now and then the tables are the snapshot.
  base_.max_copied_state = rng_.below(3) == 0 ? 0 : 1U << 20;
  // One entry a message now and then: what a leader sends then arrives piece by piece.
  base_.core.max_append_bytes = rng_.below(3) == 0 ? 1 : 64 + rng_.below(2000);
  base_.core.max_inflight = 1 + rng_.below(16);
  base_.core.snapshot_timeout = seconds(5);
  base_.core.lease_reads = rng_.below(3) == 0;
  for (RaftId id = 1; id <= size_; ++id) {
    nodes_.push_back(std::make_unique<Node>(*this, id));
    // Slow enough that crashes find saves under way.
    nodes_.back()->disk().latency = milliseconds(1 + rng_.below(20));
  }
}

Cluster::~Cluster() {
  for (auto& node : nodes_) {
    if (node->up()) node->crash();
  }
}

raft::DriverConfig Cluster::config(RaftId id) {
  raft::DriverConfig config = base_;
  config.core.id = id;
  for (RaftId peer = 1; peer <= size_; ++peer) {
    config.initial_peers.push_back({peer, address(peer), false});
  }
  return config;
}

void Cluster::note(const std::string& what) {
  if (!trace_) return;
  std::printf("%10.3f ms  %s\n", static_cast<double>(time_.now().nanoseconds) / 1e6, what.c_str());
}

void Cluster::violate(const std::string& what) {
  note("VIOLATION: " + what);
  for (const auto& node : nodes_) {
    if (!node->up()) continue;
    const RaftStatus status = node->driver().status();
    note("  node " + std::to_string(node->id()) + " " + std::string(to_string(status.role)) +
         " term " + std::to_string(status.term) + " log " + std::to_string(status.first_index) +
         "-" + std::to_string(status.last_index) + " commit " + std::to_string(status.commit) +
         " applied " + std::to_string(status.applied) + " " + status.error);
    for (const auto& member : status.members) {
      note("    member " + std::to_string(member.member.id) +
           (member.member.learner ? " learner" : " voter") + " match " +
           std::to_string(member.match));
    }
  }
  if (!violation_) violation_ = what;
}

Node& Cluster::any() { return *nodes_[rng_.below(nodes_.size())]; }

Node* Cluster::leader() {
  Node* best = nullptr;
  Term term = 0;
  for (auto& node : nodes_) {
    if (!node->up() || !node->driver().is_leader()) continue;
    const RaftStatus status = node->driver().status();
    if (status.term > term) {
      term = status.term;
      best = node.get();
    }
  }
  return best;
}

bool Cluster::wait_for(Duration patience, const std::function<bool()>& condition) {
  const Instant end = time_.now() + patience;
  while (!violation_ && time_.now() < end) {
    if (condition()) return true;
    time_.run_until(time_.now() + milliseconds(10));
  }
  return !violation_ && condition();
}

void Cluster::applied(RaftId node, Index index, Term term, std::string_view command) {
  const auto [known, first] = history_.try_emplace(index, term, std::string(command));
  if (!first && known->second != std::pair(term, std::string(command))) {
    violate("node " + std::to_string(node) + " applies \"" + std::string(command) + "\" at " +
            std::to_string(index) + ", another applied \"" + known->second.second + "\"");
  }
}

// Adds every other node: as a learner, then as a voter.
void Cluster::grow() {
  nodes_[0]->start(true);
  for (RaftId id = 2; id <= size_ && !violation_; ++id) {
    nodes_[id - 1]->start(false);
    for (const bool learner : {true, false}) {
      bool done = false;
      bool asked = false;
      const bool in_time = wait_for(seconds(20), [&] {
        Node* at = leader();
        if (done || asked || at == nullptr) return done;
        asked = true;
        at->driver().add_member({id, address(id), learner}, [&](const Status& status) {
          asked = false;
          done = done || status.ok();
        });
        return done;
      });
      // A callback may still be out; it refers to this frame.
      wait_for(seconds(15), [&] { return !asked; });
      if (!in_time && !violation_) violate("cannot add node " + std::to_string(id));
    }
  }
}

std::string Cluster::propose(Node& node) {
  const std::string command =
      "c" + std::to_string(++next_command_) + std::string(rng_.below(60), '.');
  commands_[command] = Outcome::kPending;
  node.driver().propose(command, [this, command](const Result<std::string>& result) {
    Outcome& outcome = commands_[command];
    if (outcome != Outcome::kPending) violate("two answers for \"" + command + "\"");
    if (result) {
      outcome = Outcome::kDone;
      ++totals_.commands_done;
      acknowledged_.insert(command);
      if (!result->ends_with(":" + command)) violate("the answer of another command: " + *result);
    } else {
      outcome = result.error().code == ErrorClass::kDeadlineExceeded ? Outcome::kUnknown
                                                                     : Outcome::kRefused;
      totals_.commands_unknown += outcome == Outcome::kUnknown ? 1 : 0;
    }
  });
  return command;
}

void Cluster::read(Node& node) {
  node.driver().read_index([this, &node, before = acknowledged_](const Status& status) {
    if (!status) return;
    ++totals_.reads_done;
    std::set<std::string> seen;
    for (const auto& [index, command] : node.tables().commands) seen.insert(command);
    for (const auto& command : before) {
      if (!seen.contains(command)) {
        return violate("a read on node " + std::to_string(node.id()) + " misses \"" + command +
                       "\"");
      }
    }
  });
}

// Clients: mostly at the leader, sometimes at somebody who refuses.
void Cluster::client() {
  Node* at = leader();
  if (at == nullptr || rng_.below(10) == 0) at = &any();
  if (at->up()) {
    for (uint64_t burst = rng_.below(8); burst > 0; --burst) propose(*at);
  }
  // A leader that is none any more is the one whose answers may be old.
  for (auto& node : nodes_) {
    if (node->up() && node->driver().is_leader() && node.get() != leader()) read(*node);
  }
  Node& reader = any();
  if (reader.up() && rng_.below(4) == 0) read(reader);
}

void Cluster::trouble() {
  network_.loss_percent = rng_.below(3) == 0 ? 0 : rng_.below(20);
  network_.duplicate_percent = rng_.below(10);
  network_.max_delay = milliseconds(1 + rng_.below(rng_.below(4) == 0 ? 300 : 20));
  const uint64_t steps = 60 + rng_.below(100);
  for (uint64_t i = 0; i < steps && !violation_; ++i) {
    time_.run_until(time_.now() + milliseconds(rng_.below(150)));
    client();
    if (rng_.below(4) == 0) one_fault();
    if (i % 8 == 0) check_logs();
  }
}

void Cluster::heal() {
  note("heal");
  healed_ = true;
  network_ = Network{};
  for (auto& node : nodes_) {
    node->disk().full = false;
    node->disk().latency = milliseconds(1);
    if (!node->up()) node->start(false);
  }
}

// A command that works, asked again and again; empty when none did in time.
std::string Cluster::propose_until_done(Duration patience) {
  std::string last;
  const bool done = wait_for(patience, [&] {
    if (!last.empty() && commands_[last] == Outcome::kDone) return true;
    if (!last.empty() && commands_[last] == Outcome::kPending) return false;
    if (Node* at = leader()) last = propose(*at);
    return false;
  });
  return done ? last : "";
}

bool Cluster::converged() {
  Node* at = leader();
  if (at == nullptr) return false;
  const RaftStatus status = at->driver().status();
  for (const auto& entry : status.members) {
    Node& node = *nodes_[entry.member.id - 1];
    if (!node.up() || node.driver().status().applied != status.commit ||
        node.tables().commands != at->tables().commands) {
      return false;
    }
  }
  return status.commit == status.last_index;
}

// With a healthy quorum, losing the leader stops commands for a bounded time only.
void Cluster::lose_leader() {
  Node* lost = leader();
  if (lost == nullptr) return violate("no leader to lose");
  std::map<RaftId, bool> rest;
  for (const Member& member : lost->driver().members()) rest[member.id] = member.id != lost->id();
  const raft::Configuration configuration(lost->driver().members());
  if (configuration.voters().vote_result(rest) != raft::VoteResult::kWon) return;
  note("loss of the leader " + std::to_string(lost->id()));
  lost->crash();
  if (propose_until_done(kFailoverBound).empty()) {
    violate("commands do not work 3 s after the loss of the leader");
  }
  lost->start(false);
}

// Log matching, over what is durable.
void Cluster::check_logs() {
  for (size_t a = 0; a < nodes_.size(); ++a) {
    for (size_t b = a + 1; b < nodes_.size(); ++b) {
      const auto& one = nodes_[a]->disk().state;
      const auto& two = nodes_[b]->disk().state;
      const Index first = std::max(one.offset, two.offset) + 1;
      const Index last = std::min(one.offset + one.entries.size(), two.offset + two.entries.size());
      bool match = false;  // seen from the end: from here on everything must be equal
      for (Index i = last; i >= first && i > 0; --i) {
        const auto& left = one.entries[i - one.offset - 1];
        const auto& right = two.entries[i - two.offset - 1];
        match = match || left.term == right.term;
        if (match && left != right) {
          return violate("logs of " + std::to_string(a + 1) + " and " + std::to_string(b + 1) +
                         " differ at " + std::to_string(i) + " below a common entry");
        }
      }
    }
  }
}

void Cluster::check_outcomes() {
  std::map<std::string, int> times;
  for (const auto& [index, entry] : history_) ++times[entry.second];
  for (const auto& [command, outcome] : commands_) {
    const int count = times.contains(command) ? times[command] : 0;
    if (outcome == Outcome::kPending) violate("no answer for \"" + command + "\"");
    if (count > 1) violate("\"" + command + "\" was carried out twice");
    if (outcome == Outcome::kDone && count != 1) violate("lost: \"" + command + "\"");
    if (outcome == Outcome::kRefused && count != 0)
      violate("refused, yet done: \"" + command + "\"");
  }
}

std::optional<std::string> Cluster::run() {
  grow();
  if (!violation_) trouble();
  if (!violation_) {
    heal();
    if (propose_until_done(seconds(15)).empty()) violate("no progress 15 s after healing");
  }
  const auto settle = [&](const std::string& after) {
    if (violation_ || wait_for(seconds(30), [&] { return converged(); })) return;
    violate("the members do not come to the same state after " + after);
  };
  settle("healing");
  if (!violation_) lose_leader();
  settle("the loss of the leader");
  // Every deadline of a proposal has passed by now.
  if (!violation_) time_.run_until(time_.now() + seconds(15));
  check_logs();
  for (auto& node : nodes_) {
    if (node->up()) node->crash();
  }
  if (!violation_) check_outcomes();
  if (!violation_ && acknowledged_.empty()) violate("no command was ever carried out");
  return violation_;
}

}  // namespace shoal::sim
