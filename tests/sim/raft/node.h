// Node: one manager of the simulated cluster: what a crash destroys (driver, store in memory) and
// what it leaves (disk, tables, clock).
//
// Every call into its driver goes through enter(). Every call the driver makes to a port counts as
// a step, and crash_after(n) ends the member inside the n-th of them, wherever that is: between a
// save and what follows from it, in the middle of a batch of entries, while it takes a snapshot in.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "raft/driver/driver.h"
#include "tests/fakes/raft_fakes.h"
#include "tests/sim/raft/clock.h"
#include "tests/sim/raft/machine.h"

namespace shoal::sim {

class Cluster;

std::string address(raft::RaftId id);

class Node final : public raft::Transport, public raft::Observer, public MachineWatch {
 public:
  Node(Cluster& cluster, raft::RaftId id);
  ~Node() override;

  // A node whose disk is damaged stays away.
  void start(bool first);
  void crash();
  void crash_after(uint64_t steps) { crash_in_ = steps; }
  // One bit of what is stored is wrong: the next load finds out.
  void damage();
  bool damaged() const { return damaged_; }
  bool up() const { return driver_ != nullptr; }
  // The member in operation; nullptr when it is down or its storage failed.
  const raft::Core* core() const { return driver_ ? driver_->core() : nullptr; }

  // Calls what enters the driver; a loss of power inside ends the member.
  template <typename Call>
  void enter(const Call& call) {
    if (entered_) return call();
    entered_ = true;
    try {
      call();
    } catch (const PowerLoss&) {
      entered_ = false;
      return crash();
    }
    entered_ = false;
    stepped();
  }

  // What was proposed is sent by then, as its caller owes the driver.
  void flush_later();

  raft::Driver& driver() { return *driver_; }
  const raft::Driver& driver() const { return *driver_; }
  const manager::Store& store() const { return machine_->store(); }
  raft::RaftId id() const { return id_; }
  fakes::FakeDisk& disk() { return disk_; }
  OwnClock& clock() { return clock_; }
  void clock_changed() {
    if (timer_) timer_->clock_changed();
  }

  void send(raft::RaftId to, raft::Message message) override;
  void set_members(const std::vector<raft::Member>& members) override;
  void on_leader_change(raft::RaftId leader, raft::Term term, bool is_self) override;
  void on_members(const std::vector<raft::Member>& members) override;

 private:
  struct PowerLoss {};
  class LogStore;

  void step();
  void stepped();
  void deliver(const raft::Message& message);
  void before_apply() override { step(); }
  void applied(raft::Index index, raft::Term term, std::string_view command,
               const manager::Outcome& outcome, const manager::Store& store) override;
  void made_snapshot(raft::Index index, std::string_view data) override;
  // Runs it at a time of its own, from outside the driver; never, when the member ends before.
  void later(std::function<void()> work);
  bool tables_behind() override { return rng_.below(20) == 0; }
  void restored(raft::Index index, std::string_view data) override;

  Cluster& cluster_;
  const raft::RaftId id_;
  fakes::FakeDisk disk_;
  Tables tables_;
  bool damaged_ = false;
  std::set<raft::RaftId> peers_;
  std::set<raft::RaftId> guests_;  // who sent something, so that an answer finds them
  SeededRng rng_;
  OwnClock clock_;
  uint64_t life_ = 0;      // counts starts
  uint64_t crash_in_ = 0;  // steps; 0: not planned
  bool entered_ = false;
  raft::Index known_commit_ = 0;
  std::unique_ptr<OwnTimer> timer_;
  std::unique_ptr<LogStore> log_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<raft::Driver> driver_;
};

}  // namespace shoal::sim
