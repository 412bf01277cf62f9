// A whole raft cluster of production cores and drivers in virtual time, over fakes.
//
// What happens is decided by the seed alone. check() and the hooks look at the safety properties of
// Raft (paper, figure 3) after every step:
//   election safety       one leader per term
//   log matching          same index and term: same entry, and the same before it
//   state machine safety  every node applies the same command at the same index
//   leader completeness   what a client was told is done stays done, and is done once; what it was
//                         told did not happen does not
//   read index            a read sees every command acknowledged before it was asked
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raft/driver/driver.h"
#include "tests/fakes/raft_fakes.h"

namespace shoal::sim {

struct Network {
  uint64_t loss_percent = 0;
  uint64_t duplicate_percent = 0;
  Duration max_delay = std::chrono::milliseconds(5);
  std::set<std::pair<raft::RaftId, raft::RaftId>> cut;  // from, to
  bool mute_appends = false;                            // all of them are lost
};

class Cluster;

std::string address(raft::RaftId id);

// What happened, to see that the troubles reach the code they are meant for.
struct Totals {
  uint64_t commands_done = 0;
  uint64_t commands_unknown = 0;
  uint64_t reads_done = 0;
  uint64_t snapshots_installed = 0;
  uint64_t leaders = 0;
  uint64_t crashes = 0;
  uint64_t storage_failures = 0;
  uint64_t joints_entered = 0;  // or several changes that needed none
  uint64_t joints_left = 0;     // when told

  void add(const Totals& other);
  bool all_seen() const;
};

// One node: what a crash destroys (driver, store) and what it leaves (disk, tables).
class Node final : public raft::Transport, public raft::Observer {
 public:
  Node(Cluster& cluster, raft::RaftId id);
  ~Node() override;

  void start(bool first);
  void crash();
  bool up() const { return driver_ != nullptr; }
  raft::Driver& driver() { return *driver_; }
  raft::RaftId id() const { return id_; }
  fakes::FakeDisk& disk() { return disk_; }
  const fakes::FakeTables& tables() const { return tables_; }
  bool has(const std::string& command) const;

  void send(raft::RaftId to, raft::Message message) override;
  void set_members(const std::vector<raft::Member>& members) override;
  void on_leader_change(raft::RaftId leader, raft::Term term, bool is_self) override;
  void on_members(const std::vector<raft::Member>&) override {}

 private:
  class Machine;

  Cluster& cluster_;
  const raft::RaftId id_;
  fakes::FakeDisk disk_;
  fakes::FakeTables tables_;
  std::set<raft::RaftId> peers_;
  std::set<raft::RaftId> guests_;  // who sent something, so that an answer finds them
  SeededRng rng_;
  fakes::VirtualClock clock_;
  std::unique_ptr<fakes::VirtualTimer> timer_;
  std::unique_ptr<fakes::FakeLogStore> store_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<raft::Driver> driver_;
};

class Cluster {
 public:
  Cluster(uint64_t seed, bool trace);
  ~Cluster();

  // The whole life: growth, troubles, healing, loss of the leader. The first violated property, or
  // nothing.
  std::optional<std::string> run();
  const Totals& totals() const { return totals_; }

 private:
  friend class Node;

  enum class Outcome { kPending, kDone, kRefused, kUnknown };

  void note(const std::string& what);
  void violate(const std::string& what);
  bool wait_for(Duration patience, const std::function<bool()>& condition);
  void grow();
  void trouble();
  void one_fault();
  void membership_fault();
  void joint_fault(Node& at);
  void relay_fault();
  void restart_fault();
  void transfer_fault();
  void play(uint64_t steps, Duration longest);  // clients go on meanwhile
  void cut_off(const Node& node);
  void disk_fault();
  void cut_fault();
  void power_cut();
  void heal();
  void lose_leader();
  void client();
  std::string propose(Node& node);  // the command
  void read(Node& node);
  std::string propose_until_done(Duration patience);
  void check_logs();
  void check_outcomes();
  bool converged();
  Node* leader();
  Node& any();
  void applied(raft::RaftId node, raft::Index index, raft::Term term, std::string_view command);
  raft::DriverConfig config(raft::RaftId id);

  const uint64_t seed_;
  const bool trace_;
  SeededRng rng_;
  fakes::VirtualTime time_;
  Network network_;
  size_t size_ = 3;
  raft::DriverConfig base_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::optional<std::string> violation_;
  std::map<raft::Term, raft::RaftId> leaders_;
  std::map<raft::Index, std::pair<raft::Term, std::string>> history_;
  std::map<std::string, Outcome> commands_;
  std::set<std::string> acknowledged_;
  uint64_t next_command_ = 0;
  bool healed_ = false;  // no more faults
  Totals totals_;
  uint64_t messages_sent_ = 0;
};

}  // namespace shoal::sim
