// What a Driver asks of the world: durable storage, peers, the state machine, and who listens.
// All calls and callbacks are on the driver's strand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "raft/types.h"

namespace shoal::raft {

// The replicated state. Every member applies the same commands in the same order, so apply() must
// depend on nothing but the state and its arguments. Its tables may be durable without fsync, as
// long as the applied index is written together with the changes: what a crash takes back is
// applied again.
class StateMachine {
 public:
  virtual ~StateMachine() = default;
  // The result goes to the callback of the proposer, on the node that proposed. An error: this
  // member cannot carry out what the others may; nothing has changed and the driver stops taking
  // part, for to go on would be to diverge.
  virtual Result<std::string> apply(Index index, Term term, std::string_view command) = 0;
  // The whole state as of the last applied entry; at most kMaxSnapshotBytes.
  virtual std::string snapshot() = 0;
  // Replaces the whole state; applied_index() is `index` afterwards. An error stops the driver.
  virtual Status restore(Index index, std::string_view data) = 0;
  // The last applied command, 0 at first.
  virtual Index applied_index() const = 0;
  // The members after the entry at `index`; called in order with apply().
  virtual void on_applied_conf(Index index, const std::vector<Member>& members) {
    (void)index;
    (void)members;
  }
};

// Log, hard state and one snapshot, durable.
class LogStore {
 public:
  struct Loaded {
    HardState hard_state;
    SnapshotMeta snapshot;  // index 0: none
    Index offset = 0;       // entries begin after it
    Term offset_term = 0;
    std::vector<Entry> entries;

    bool empty() const {
      return hard_state == HardState{} && snapshot.index == 0 && entries.empty();
    }
  };

  struct Batch {
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;                // replace everything from entries[0].index on
    std::shared_ptr<const Snapshot> snapshot;  // replaces the stored one
    bool snapshot_replaces_log = false;        // received: all entries go, the log begins after it
    Index compact_to = 0;                      // entries up to here go; their snapshot is durable
    Term compact_term = 0;                     // the term of the entry at compact_to
  };

  virtual ~LogStore() = default;
  // Everything stored; blocks. kDataLoss names the file and says what to do. Also ends the refusal
  // after a failed save.
  virtual Result<Loaded> load() = 0;
  // The stored snapshot's data; blocks.
  virtual Result<std::string> load_snapshot() = 0;
  // Writes the batch as one; `done` is posted to the strand when it is durable, never called from
  // inside. Saves are done in order. After a failed one all later ones fail, until load(): a log
  // with a hole in it must never be written.
  virtual void save(Batch batch, std::function<void(Status)> done) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Drops silently what it cannot deliver. A snapshot's fate is reported to the driver.
  virtual void send(RaftId to, Message message) = 0;
  // The peers from now on; the own member may be among them.
  virtual void set_members(const std::vector<Member>& members) = 0;
};

class Observer {
 public:
  virtual ~Observer() = default;
  // leader 0: nobody known. Told for every leader of every term that was seen.
  virtual void on_leader_change(RaftId leader, Term term, bool is_self) = 0;
  virtual void on_members(const std::vector<Member>& members) = 0;
};

}  // namespace shoal::raft
