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
  // The state as of now, to be read on another thread while more is applied. Cheap, whatever the
  // size. `index` is the last entry applied, which need not be a command: made durable, the state
  // counts as applied up to there.
  virtual std::unique_ptr<SnapshotSource> snapshot(Index index) = 0;
  // Replaces the whole state; applied_index() is `index` afterwards. After an error the old state
  // is there, and the driver stops.
  virtual Status restore(Index index, const std::shared_ptr<const SnapshotData>& data) = 0;
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
  using SnapshotCallback = std::function<void(Result<std::shared_ptr<const Snapshot>>)>;

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
    std::shared_ptr<const Snapshot> snapshot;  // replaces the stored one; see write_out()
    bool snapshot_replaces_log = false;        // received: all entries go, the log begins after it
    Index compact_to = 0;                      // entries up to here go; their snapshot is durable
    Term compact_term = 0;                     // the term of the entry at compact_to
  };

  virtual ~LogStore() = default;
  // Everything stored; blocks. kDataLoss names the file and says what to do. Also ends the refusal
  // after a failed save.
  virtual Result<Loaded> load() = 0;
  // The stored snapshot's data; blocks. kNotFound when it was saved without.
  virtual Result<std::shared_ptr<const SnapshotData>> load_snapshot() = 0;
  // How a snapshot of the own state comes to be: reads `source` to its end on another thread, while
  // saves go on, and posts the snapshot to the strand, its data durable. It can be sent, also later
  // on, and saved. Without `with_data` the state machine's own copy is made durable instead.
  virtual void write_out(SnapshotMeta meta, std::unique_ptr<SnapshotSource> source, bool with_data,
                         SnapshotCallback done) = 0;
  // Writes the batch as one; `done` is posted to the strand when it is durable, never called from
  // inside. Saves are done in order. After a failed one all later ones fail, until load(): a log
  // with a hole in it must never be written.
  virtual void save(Batch batch, std::function<void(Status)> done) = 0;
};

// Where a snapshot that another member sends in pieces is put together. It outlasts the connection
// that brings it: what was begun is gone on with. One at a time.
class SnapshotInbox {
 public:
  virtual ~SnapshotInbox() = default;
  // How much of this snapshot is here already. Begins anew, and forgets what it had, when it is not
  // the one begun last. All functions block for the disk; on one thread.
  virtual Result<uint64_t> begin(const SnapshotMeta& meta, uint64_t size,
                                 const crypto::Sha256& digest) = 0;
  // kInvalidArgument: does not begin where the last ended, or goes beyond the size.
  virtual Status add(uint64_t offset, std::string_view piece) = 0;
  // All of it is here. kDataLoss when it has another digest: it is forgotten.
  virtual Result<std::shared_ptr<const Snapshot>> finish() = 0;
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
