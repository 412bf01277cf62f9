// The managers' store and allocator as the state machine, as manager/tables runs them, with tables
// that a crash takes back to an earlier entry.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "manager/store/store.h"
#include "raft/driver/ports.h"

namespace shoal::sim {

// What the disk holds of the store.
class Tables {
 public:
  void write(raft::Index index, std::vector<manager::Change> changes);
  void replace(raft::Index index, const std::vector<manager::Object>& objects);
  // What was written so far stays, and holds up to `index` at least.
  void sync(raft::Index index);
  // Takes back some of the newest writes since the last replace() or sync().
  void crash(Rng& rng);
  // kDataLoss when the objects do not fit one another.
  Status load(manager::Store& store) const;
  // The records as last written.
  std::vector<manager::Object> objects() const;
  raft::Index applied() const;

 private:
  struct Write {
    raft::Index index = 0;
    std::vector<manager::Change> changes;
  };
  void put(const Write& write);

  std::map<std::string, manager::Object> objects_;
  raft::Index objects_at_ = 0;
  std::deque<Write> writes_;
};

// Who looks on while entries are applied; may throw to end the member there.
class MachineWatch {
 public:
  virtual ~MachineWatch() = default;
  virtual void before_apply() = 0;
  virtual void applied(raft::Index index, raft::Term term, std::string_view command,
                       const manager::Outcome& outcome, const manager::Store& store) = 0;
  virtual void made_snapshot(raft::Index index, std::string_view data) = 0;
  // Whether the tables cannot give a snapshot at the moment.
  virtual bool tables_behind() = 0;
  virtual void restored(raft::Index index, std::string_view data) = 0;
};

class Machine final : public raft::StateMachine {
 public:
  Machine(Tables& tables, MachineWatch& watch) : tables_(tables), watch_(watch) {}
  // Loads the tables, as a manager does when it starts.
  Status open();
  const manager::Store& store() const { return store_; }

  // The answer: the entry's index, and "ok", "nothing" (done, but there was nothing to do), or the
  // name of the error's class.
  Result<std::string> apply(raft::Index index, raft::Term term, std::string_view command) override;
  // Of the tables.
  std::unique_ptr<raft::SnapshotSource> snapshot(raft::Index index) override;
  Status restore(raft::Index index, const std::shared_ptr<const raft::SnapshotData>& data) override;
  raft::Index applied_index() const override { return applied_index_; }

 private:
  Tables& tables_;
  MachineWatch& watch_;
  manager::Store store_;
  raft::Index applied_index_ = 0;
};

}  // namespace shoal::sim
