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
constexpr auto kTroubles = seconds(60);

}  // namespace

Duration Network::draw_delay(Rng& rng, raft::MessageType type) const {
  const auto up_to = [&](Duration bound) {
    return Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>(bound.count())) + 1));
  };
  if (late_permille > 0 && rng.below(1000) < late_permille) return up_to(seconds(8));
  if (slow_hand_over && type == raft::MessageType::kTimeoutNow) return milliseconds(1500);
  if (type != raft::MessageType::kSnapshot) return up_to(max_delay);
  if (endless_snapshots) return seconds(20);
  // A snapshot is many messages; now and then they take longer than anybody waits for them.
  if (late_permille > 0 && rng.below(12) == 0) return seconds(4) + up_to(seconds(8));
  return up_to(10 * max_delay);
}

void Totals::add(const Totals& other) {
  commands_done += other.commands_done;
  commands_unknown += other.commands_unknown;
  tried_again += other.tried_again;
  reads_done += other.reads_done;
  judged += other.judged;
  messages += other.messages;
  snapshots_installed += other.snapshots_installed;
  leaders += other.leaders;
  crashes += other.crashes;
  step_crashes += other.step_crashes;
  storage_failures += other.storage_failures;
  disks_damaged += other.disks_damaged;
  replaced += other.replaced;
  joints_entered += other.joints_entered;
  joints_left += other.joints_left;
  virtual_seconds += other.virtual_seconds;
}

std::vector<std::pair<std::string, uint64_t>> Totals::list() const {
  return {{"commands done", commands_done},
          {"commands unknown", commands_unknown},
          {"requests tried again", tried_again},
          {"reads", reads_done},
          {"operations judged", judged},
          {"messages", messages},
          {"snapshots installed", snapshots_installed},
          {"leaders", leaders},
          {"crashes", crashes},
          {"crashes inside a call", step_crashes},
          {"storage failures", storage_failures},
          {"disks damaged", disks_damaged},
          {"members replaced", replaced},
          {"joint changes", joints_entered},
          {"joint changes ended by order", joints_left},
          {"virtual seconds", virtual_seconds}};
}

Cluster::Cluster(uint64_t seed, bool trace)
    : seed_(seed),
      trace_(trace),
      rng_(seed),
      safety_([this](const std::string& what) { violate(what); }),
      clients_(*this, rng_.next()) {
  constexpr size_t kSizes[] = {3, 3, 5, 3, 7, 3, 5, 1};
  size_ = kSizes[rng_.below(std::size(kSizes))];
  draw_bounds();
  for (RaftId id = 1; id <= size_; ++id) {
    nodes_.push_back(std::make_unique<Node>(*this, id));
    // Slow enough that crashes find saves under way.
    nodes_.back()->disk().latency = milliseconds(1 + rng_.below(20));
  }
}

Cluster::~Cluster() {
  for (auto& node : nodes_) node->crash();
}

// Small ones, so that snapshots, chunks of appends, full windows and refusals are met in a minute.
void Cluster::draw_bounds() {
  base_.snapshot_entries = 5 + rng_.below(60);
  base_.keep_entries = rng_.below(10);
  base_.hold_log_bytes = rng_.below(2) == 0 ? 0 : 2000;
  // Now and then the tables are the state's only copy.
  if (rng_.below(3) == 0) base_.max_copied_state = 0;
  if (rng_.below(4) == 0) base_.snapshot_log_bytes = 500 + rng_.below(5500);
  // One entry a message now and then: what a leader sends then arrives piece by piece.
  base_.core.max_append_bytes = rng_.below(3) == 0 ? 1 : 64 + rng_.below(2000);
  base_.core.max_inflight = 1 + rng_.below(16);
  if (rng_.below(4) == 0) base_.core.max_inflight_bytes = 100 + rng_.below(2000);
  if (rng_.below(4) == 0) base_.core.max_uncommitted_bytes = 500 + rng_.below(1000);
  if (rng_.below(4) == 0) base_.core.max_apply_bytes = 1 + rng_.below(500);
  if (rng_.below(4) == 0) base_.core.max_pending_reads = 1 + rng_.below(8);
  if (rng_.below(4) == 0) base_.max_pending_proposals = 2 + rng_.below(8);
  base_.core.snapshot_timeout = seconds(1 + rng_.below(5));
  base_.core.commit_notice = milliseconds(rng_.below(2) * 5);
  base_.core.lease_reads = rng_.below(3) == 0;
  base_.core.gather_proposals = seed_ % 2 == 1;
}

raft::DriverConfig Cluster::config(RaftId id) {
  raft::DriverConfig config = base_;
  config.core.id = id;
  for (RaftId peer = 1; peer <= nodes_.size(); ++peer) {
    config.initial_peers.push_back({peer, address(peer), false});
  }
  return config;
}

void Cluster::note(const std::string& what) {
  trace_digest_ = digest(what, trace_digest_ + static_cast<uint64_t>(time_.now().nanoseconds));
  if (!trace_) return;
  std::printf("%10.3f ms  %s\n", static_cast<double>(time_.now().nanoseconds) / 1e6, what.c_str());
}

void Cluster::note_message(const raft::Message& message, bool lost, Duration delay) {
  for (const uint64_t word :
       {static_cast<uint64_t>(time_.now().nanoseconds), static_cast<uint64_t>(message.type),
        message.from, message.to, message.term, message.index, message.entries.size(),
        static_cast<size_t>(delay.count())}) {
    trace_digest_ = (trace_digest_ ^ word) * 0x9e3779b97f4a7c15ULL;
    trace_digest_ ^= trace_digest_ >> 32;
  }
  if (!trace_) return;
  std::printf(
      "%10.3f ms    %llu -> %llu %s term %llu index %llu/%llu commit %llu%s, %zu entries%s",
      static_cast<double>(time_.now().nanoseconds) / 1e6,
      static_cast<unsigned long long>(message.from), static_cast<unsigned long long>(message.to),
      std::string(to_string(message.type)).c_str(), static_cast<unsigned long long>(message.term),
      static_cast<unsigned long long>(message.index),
      static_cast<unsigned long long>(message.log_term),
      static_cast<unsigned long long>(message.commit), message.reject ? " reject" : "",
      message.entries.size(), lost ? " LOST\n" : "");
  if (!lost) std::printf(" in %.3f ms\n", static_cast<double>(delay.count()) / 1e6);
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

Node& Cluster::any() {
  for (;;) {
    Node& node = *nodes_[rng_.below(nodes_.size())];
    if (!node.damaged()) return node;
  }
}

Node* Cluster::leader() {
  Node* best = nullptr;
  Term term = 0;
  for (auto& node : nodes_) {
    const raft::Core* const core = node->core();
    if (core == nullptr || core->role() != raft::Role::kLeader || core->term() <= term) continue;
    term = core->term();
    best = node.get();
  }
  return best;
}

bool Cluster::wait_for(Duration patience, const std::function<bool()>& condition) {
  const Instant end = time_.now() + patience;
  while (!violation_ && time_.now() < end) {
    if (condition()) return true;
    run_for(milliseconds(10));
  }
  return !violation_ && condition();
}

// One member, the first commands, then every other node: as a learner, then as a voter.
void Cluster::grow() {
  nodes_[0]->start(true);
  for (const manager::Operation& operation : clients_.first_commands()) {
    const auto done = propose_until_done(
        seconds(5), [&](Node& at) { return clients_.propose(at, operation, {}); });
    if (done.empty()) return violate("the first commands do not work");
  }
  for (RaftId id = 2; id <= size_ && !violation_; ++id) {
    nodes_[id - 1]->start(false);
    for (const auto kind : {raft::ConfChangeKind::kAddLearner, raft::ConfChangeKind::kAddVoter}) {
      const bool in_time = wait_for(seconds(20), [&] {
        Node* at = leader();
        if (at == nullptr) return false;
        const auto& members = at->core()->configuration().members();
        const auto found = members.find(id);
        if (found != members.end() &&
            found->second.learner == (kind == raft::ConfChangeKind::kAddLearner)) {
          return true;
        }
        if (!changing_) change(*at, {kind, {id, address(id), false}});
        return false;
      });
      if (!in_time && !violation_) violate("cannot add node " + std::to_string(id));
    }
  }
}

// The operator's: one change at a time.
void Cluster::change(Node& at, const raft::ConfChange& change) {
  changing_ = true;
  at.enter([&] {
    at.driver().change_members({.changes = {change}, .single = true},
                               [this](const Status&) { changing_ = false; });
  });
}

void Cluster::trouble() {
  const Instant end = time_.now() + kTroubles;
  while (!violation_ && time_.now() < end) {
    // The weather changes a few times.
    network_.loss_percent = rng_.below(3) == 0 ? 0 : rng_.below(20);
    network_.duplicate_percent = rng_.below(10);
    network_.max_delay = milliseconds(1 + rng_.below(rng_.below(4) == 0 ? 300 : 20));
    network_.late_permille = rng_.below(2) == 0 ? 0 : rng_.below(10);
    const uint64_t steps = 60 + rng_.below(100);
    for (uint64_t i = 0; i < steps && !violation_ && time_.now() < end; ++i) {
      run_for(milliseconds(rng_.below(120)));
      clients_.some();
      if (damaged_ != 0 && rng_.below(4) == 0) (void)replace_damaged();
      if (rng_.below(5) == 0) one_fault();
      if (i % 8 == 0) check_logs();
    }
  }
}

void Cluster::heal() {
  note("heal");
  healed_ = true;
  network_ = Network{};
  for (auto& node : nodes_) {
    node->crash_after(0);
    node->disk().full = node->disk().full_at_snapshot = false;
    node->disk().latency = milliseconds(1);
    node->clock().set_speed(1);
    node->clock().set_wall(Duration(0));
    node->clock_changed();
    node->start(false);
  }
}

// A command that works, asked again and again; empty when none did in time.
std::string Cluster::propose_until_done(Duration patience,
                                        const std::function<size_t(Node&)>& propose) {
  std::optional<size_t> last;
  const bool done = wait_for(patience, [&] {
    if (last && clients_.is_done(*last)) return true;
    if (last && clients_.is_pending(*last)) return false;
    if (Node* at = leader()) last = propose(*at);
    return false;
  });
  return done ? std::to_string(*last) : "";
}

bool Cluster::commands_work(Duration patience) {
  return !propose_until_done(patience, [this](Node& at) { return clients_.propose(at); }).empty();
}

bool Cluster::converged() {
  Node* at = leader();
  if (at == nullptr) return false;
  const raft::Log& log = at->core()->log();
  if (log.committed() != log.last_index()) return false;
  for (const auto& [id, member] : at->core()->configuration().members()) {
    const Node& node = *nodes_[id - 1];
    if (node.core() == nullptr || node.core()->log().applied() != log.committed()) return false;
  }
  for (const auto& [id, member] : at->core()->configuration().members()) {
    if (nodes_[id - 1]->store().objects() != at->store().objects()) return false;
  }
  return true;
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
  if (!commands_work(kFailoverBound)) {
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

std::optional<std::string> Cluster::run() {
  grow();
  if (!violation_) trouble();
  if (!violation_) {
    heal();
    if (!wait_for(seconds(60), [this] { return replace_damaged(); }) && !violation_) {
      violate("the damaged member is not replaced 60 s after healing");
    }
    if (!violation_ && !commands_work(seconds(15))) violate("no progress 15 s after healing");
  }
  const auto settle = [&](const std::string& after) {
    if (violation_ || wait_for(seconds(30), [&] { return converged(); })) return;
    if (!violation_) violate("the members do not come to the same state after " + after);
  };
  settle("healing");
  if (!violation_) lose_leader();
  settle("the loss of the leader");
  // Every deadline of a proposal has passed by now.
  if (!violation_) run_for(seconds(15));
  check_logs();
  totals_.virtual_seconds = static_cast<uint64_t>(time_.now().nanoseconds) / 1'000'000'000;
  for (auto& node : nodes_) node->crash();
  if (!violation_) clients_.check_outcomes();
  if (!violation_) clients_.check_history();
  if (!violation_ && !clients_.any_done()) violate("no command was ever carried out");
  return violation_;
}

}  // namespace shoal::sim
