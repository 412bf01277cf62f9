#include "manager/tables/state_machine.h"

#include "manager/wire/store_wire.h"

namespace shoal::manager {

Result<std::unique_ptr<StateMachine>> StateMachine::open(std::unique_ptr<Tables> tables) {
  auto content = SHOAL_TRY(tables->load());
  std::unique_ptr<StateMachine> machine(new StateMachine(std::move(tables)));
  for (Object& object : content.objects) machine->store_.load(std::move(object));
  SHOAL_TRY(machine->store_.finish_load(content.applied_index));
  machine->applied_index_ = content.applied_index;
  return machine;
}

Result<std::string> StateMachine::apply(raft::Index index, raft::Term term,
                                        std::string_view command) {
  (void)term;
  const Command decoded = SHOAL_TRY(wire::decode_command(command));
  applied_index_ = index;
  Outcome outcome = store_.apply(index, decoded);
  last_answer_ = std::move(outcome.answer);
  if (outcome.changes.empty()) return std::string();
  save(outcome.changes);
  if (listener_.applied) listener_.applied(outcome.changes);
  return std::string();
}

void StateMachine::save(const std::vector<Change>& changes) {
  if (writer_.behind()) {
    writer_.replace(store_.objects(), applied_index_);
  } else {
    writer_.write(changes, applied_index_);
  }
  std::string error = writer_.error();
  if (error.empty() == told_error_.empty()) return;
  told_error_ = std::move(error);
  if (!told_error_.empty() && listener_.failed) listener_.failed(internal_error(told_error_));
}

std::string StateMachine::snapshot() { return wire::encode_snapshot(store_.objects()); }

Status StateMachine::restore(raft::Index index, std::string_view data) {
  auto objects = SHOAL_TRY(wire::decode_snapshot(data));
  Store store;
  for (const Object& object : objects) store.load(object);
  SHOAL_TRY(store.finish_load(index));
  writer_.replace(std::move(objects), index);
  store_ = std::move(store);
  applied_index_ = index;
  if (listener_.replaced) listener_.replaced();
  return ok_status();
}

}  // namespace shoal::manager
