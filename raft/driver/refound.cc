#include "raft/driver/refound.h"

#include <algorithm>

namespace shoal::raft {

Result<LogEnd> replay_to_end(LogStore& store, StateMachine& machine) {
  const LogStore::Loaded loaded = SHOAL_TRY(store.load());
  if (machine.applied_index() < loaded.snapshot.index) {
    const auto data = SHOAL_TRY(store.load_snapshot());
    SHOAL_TRY(machine.restore(loaded.snapshot.index, data));
  }
  LogEnd end{std::max(loaded.offset, loaded.snapshot.index),
             std::max(loaded.hard_state.term, loaded.snapshot.term)};
  for (const Entry& entry : loaded.entries) {
    end = {entry.index, std::max(end.term, entry.term)};
    if (entry.index <= machine.applied_index() || entry.type != EntryType::kCommand) continue;
    const auto applied = machine.apply(entry.index, entry.term, entry.data);
    if (!applied) {
      return applied.error().wrap("raft entry " + std::to_string(entry.index) +
                                  " cannot be applied here");
    }
  }
  if (machine.applied_index() > end.index) {
    return data_loss("the tables hold entry " + std::to_string(machine.applied_index()) +
                     " and the log ends at " + std::to_string(end.index) +
                     ": this manager's log is not whole; use another manager, or a backup");
  }
  return end;
}

LogStore::Batch new_group(const Member& self, const LogEnd& end, std::string state) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->meta.index = end.index + 1;
  snapshot->meta.term = end.term + 1;
  snapshot->meta.members = {self};
  snapshot->data = snapshot_text(std::move(state));
  LogStore::Batch batch;
  batch.hard_state = HardState{snapshot->meta.term, 0, snapshot->meta.index};
  batch.snapshot = std::move(snapshot);
  batch.snapshot_replaces_log = true;
  return batch;
}

}  // namespace shoal::raft
