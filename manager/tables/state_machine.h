// StateMachine: the store as raft sees it: entries in, tables and listeners informed.
//
// Applies an entry to the store in memory and leaves writing its changes to a thread of the tables
// (tables_writer.h). An entry that cannot be decoded is not applied and ends the member's part:
// managers of another version may well apply it. When the disk refuses, the store in memory goes on
// and the tables are written whole as soon as it takes them again: until then a restart replays
// more of the log, which is kept until a snapshot is durable.
//
// Thread rule: raft's strand.
#pragma once

#include <functional>
#include <memory>

#include "manager/store/store.h"
#include "manager/tables/tables_writer.h"
#include "raft/driver/ports.h"

namespace shoal::manager {

class StateMachine final : public raft::StateMachine {
 public:
  struct Listener {
    std::function<void(const std::vector<Change>&)> applied;  // not called for empty changes
    std::function<void()> replaced;                           // the whole store, by a snapshot
    std::function<void(const Error&)> failed;                 // the disk, for the log
  };

  // Loads `tables` into the store. kDataLoss.
  static Result<std::unique_ptr<StateMachine>> open(std::unique_ptr<Tables> tables);

  void listen(Listener listener) { listener_ = std::move(listener); }
  const Store& store() const { return store_; }
  // Of the entry applied last: valid in the callback of its proposal.
  const Result<Answer>& last_answer() const { return last_answer_; }
  // Why the tables are behind the store; empty when they are not.
  std::string disk_error() const { return writer_->error(); }
  // Waits for the tables.
  void drain() { writer_->drain(); }

  Result<std::string> apply(raft::Index index, raft::Term term, std::string_view command) override;
  // Read from the tables, as of what was applied last.
  std::unique_ptr<raft::SnapshotSource> snapshot(raft::Index index) override;
  Status restore(raft::Index index, const std::shared_ptr<const raft::SnapshotData>& data) override;
  raft::Index applied_index() const override { return applied_index_; }

 private:
  explicit StateMachine(std::unique_ptr<Tables> tables)
      : writer_(std::make_shared<TablesWriter>(std::move(tables))) {}
  void save(std::vector<Change> changes);
  void write_whole();

  const std::shared_ptr<TablesWriter> writer_;  // a snapshot may outlive this
  Store store_;
  raft::Index applied_index_ = 0;
  std::string told_error_;  // of the disk, to the listener
  Result<Answer> last_answer_ = Answer{};
  Listener listener_;
};

}  // namespace shoal::manager
