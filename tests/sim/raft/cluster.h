// A whole group of managers in virtual time: production raft core, driver, store and allocator,
// over fakes of disk, network and clock. What happens is decided by the seed alone.
//
// safety.h says what is looked at with every step. At the end of a life also:
//   linearizability   of what the clients saw (tests/lin)
//   outcomes          what a client was told is done is done, once; what it was told did not happen
//                     did not
//   liveness          after healing commands work again, the members come to the same state, and
//                     losing the leader stops commands for a bounded time only
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/raft/clients.h"
#include "tests/sim/raft/node.h"
#include "tests/sim/raft/safety.h"

namespace shoal::sim {

struct Network {
  uint64_t loss_percent = 0;
  uint64_t duplicate_percent = 0;
  Duration max_delay = std::chrono::milliseconds(5);
  uint64_t late_permille = 0;                           // that come seconds later
  std::set<std::pair<raft::RaftId, raft::RaftId>> cut;  // from, to
  bool mute_appends = false;                            // all of them are lost
  raft::RaftId slow_to = 0;                             // who gets everything late
  bool slow_hand_over = false;                          // the word to take over is
  bool endless_snapshots = false;                       // nobody waits for their end

  Duration draw_delay(Rng& rng, raft::MessageType type) const;
};

// What happened, to see that the troubles reach the code they are meant for.
struct Totals {
  uint64_t commands_done = 0;
  uint64_t commands_unknown = 0;
  uint64_t tried_again = 0;  // requests
  uint64_t reads_done = 0;
  uint64_t judged = 0;  // operations of clients in histories
  uint64_t messages = 0;
  uint64_t snapshots_installed = 0;
  uint64_t leaders = 0;
  uint64_t crashes = 0;
  uint64_t step_crashes = 0;  // of those, inside of a call
  uint64_t storage_failures = 0;
  uint64_t disks_damaged = 0;
  uint64_t replaced = 0;        // members whose disk was damaged
  uint64_t joints_entered = 0;  // or several changes that needed none
  uint64_t joints_left = 0;     // when told
  uint64_t virtual_seconds = 0;

  void add(const Totals& other);
  std::vector<std::pair<std::string, uint64_t>> list() const;
};

class Cluster {
 public:
  Cluster(uint64_t seed, bool trace);
  ~Cluster();

  // The whole life: growth, troubles, healing, loss of the leader. The first violated property, or
  // nothing.
  std::optional<std::string> run();
  const Totals& totals() const { return totals_; }
  // Of everything that was noted, messages too: the same for the same seed and program.
  uint64_t trace_digest() const { return trace_digest_; }

 private:
  friend class Node;
  friend class Clients;

  void note(const std::string& what);
  void note_message(const raft::Message& message, bool lost, Duration delay);
  void violate(const std::string& what);
  bool wait_for(Duration patience, const std::function<bool()>& condition);
  void run_for(Duration time) { time_.run_until(time_.now() + time); }

  // cluster.cc
  void draw_bounds();
  void grow();
  void trouble();
  void heal();
  void lose_leader();
  std::string propose_until_done(Duration patience, const std::function<size_t(Node&)>& propose);
  bool commands_work(Duration patience);
  void check_logs();
  bool converged();
  Node* leader();
  Node& any();
  raft::DriverConfig config(raft::RaftId id);

  // faults.cc, more_faults.cc
  void one_fault();
  void crash_fault();
  void membership_fault();
  void hasty_fault();
  void joint_fault(Node& at);
  void members_told(const Node& node, const std::vector<raft::Member>& members);
  void relay_fault();
  void restart_fault();
  void transfer_fault();
  void slow_answers_fault();
  void slow_hand_over(Node& at, raft::RaftId to);
  void disk_fault();
  void cut_fault();
  void flap_fault();
  void power_cut(Duration from_now);
  void clock_fault();
  void damage_fault();
  void damage(Node& victim);
  void damage_after_change();
  bool of_four();
  void former_voter_fault();
  void storm_fault();
  void catch_up_fault();
  void lost_receiver_fault();
  bool may_damage(const Node& victim);
  bool replace_damaged();  // the next step of it; true when nothing is left to do
  void play(uint64_t steps, Duration longest);  // clients go on meanwhile
  void cut_off(const Node& node);
  void change(Node& at, const raft::ConfChange& change);

  const uint64_t seed_;
  const bool trace_;
  uint64_t trace_digest_ = 0;
  SeededRng rng_;
  fakes::VirtualTime time_;
  Network network_;
  size_t size_ = 3;
  raft::DriverConfig base_;
  std::vector<std::unique_ptr<Node>> nodes_;  // by id from 1; also those that were replaced
  std::optional<std::string> violation_;
  Totals totals_;
  Safety safety_;
  Clients clients_;
  bool healed_ = false;       // no more faults
  raft::RaftId damaged_ = 0;  // to be replaced
  raft::RaftId spare_ = 0;    // by this one
  bool changing_ = false;     // the operator waits for an answer
  raft::RaftId alone_ = 0;    // to be cut off when it has a joint configuration
};

}  // namespace shoal::sim
