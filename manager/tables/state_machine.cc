#include "manager/tables/state_machine.h"

#include "manager/wire/store_wire.h"

namespace shoal::manager {

Result<std::unique_ptr<StateMachine>> StateMachine::open(std::unique_ptr<Tables> tables) {
  Store store;
  const uint64_t applied_index =
      SHOAL_TRY(tables->load([&store](Object object) { store.load(std::move(object)); }));
  SHOAL_TRY(store.finish_load(applied_index));
  std::unique_ptr<StateMachine> machine(new StateMachine(std::move(tables)));
  machine->store_ = std::move(store);
  machine->applied_index_ = applied_index;
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
  if (listener_.applied) listener_.applied(outcome.changes);
  save(std::move(outcome.changes));
  return std::string();
}

void StateMachine::save(std::vector<Change> changes) {
  if (writer_->behind()) {
    write_whole();
  } else {
    writer_->write(std::move(changes), applied_index_);
  }
  std::string error = writer_->error();
  if (error.empty() == told_error_.empty()) return;
  told_error_ = std::move(error);
  if (!told_error_.empty() && listener_.failed) listener_.failed(internal_error(told_error_));
}

namespace {

// What an object takes in a snapshot, about: an endpoint is most of what there is.
constexpr uint64_t kObjectBytes = 256;
constexpr size_t kRestorePiece = 1U << 20;

class Source final : public raft::SnapshotSource {
 public:
  Source(std::shared_ptr<TablesWriter> writer, uint64_t size_hint, raft::Index index)
      : writer_(std::move(writer)),
        size_hint_(size_hint),
        index_(index),
        opening_(writer_->reader()) {}

  uint64_t size_hint() const override { return size_hint_; }
  Result<std::string> next(size_t most) override {
    std::string out;
    if (opening_.valid()) {
      reader_ = SHOAL_TRY(opening_.get());
      out = wire::snapshot_head();
    }
    while (out.size() < most) {
      const auto object = SHOAL_TRY(reader_->next());
      if (!object) break;
      wire::add_to_snapshot(*object, out);
    }
    return out;
  }
  Status make_durable() override { return writer_->sync(index_).get(); }

 private:
  const std::shared_ptr<TablesWriter> writer_;
  const uint64_t size_hint_;
  const raft::Index index_;
  std::future<Result<std::unique_ptr<Tables::Reader>>> opening_;
  std::unique_ptr<Tables::Reader> reader_;
};

// The objects of a snapshot, from its beginning at every call.
Status visit_objects(const raft::SnapshotData& data, const Tables::Visit& visit) {
  uint64_t offset = 0;
  const auto next = [&]() -> Result<std::string> {
    auto piece = data.read(offset, kRestorePiece);
    if (piece) offset += piece->size();
    return piece;
  };
  return wire::decode_snapshot(next, visit);
}

}  // namespace

std::unique_ptr<raft::SnapshotSource> StateMachine::snapshot(raft::Index index) {
  applied_index_ = index;
  if (writer_->behind()) write_whole();
  return std::make_unique<Source>(writer_, store_.object_count() * kObjectBytes, applied_index_);
}

// The objects are copied: the thread writes them while more is applied. At once: the tables may be
// all that is left of what the log has let go of.
void StateMachine::write_whole() {
  writer_->replace(
      [objects = store_.objects()](const Tables::Visit& visit) {
        for (const Object& object : objects) visit(object);
        return ok_status();
      },
      applied_index_, true);
}

Status StateMachine::restore(raft::Index index,
                             const std::shared_ptr<const raft::SnapshotData>& data) {
  Store store;
  SHOAL_TRY(visit_objects(*data, [&store](Object object) { store.load(std::move(object)); }));
  SHOAL_TRY(store.finish_load(index));
  // Decoded once more, a piece at a time.
  writer_->replace([data](const Tables::Visit& visit) { return visit_objects(*data, visit); },
                   index, false);
  store_ = std::move(store);
  applied_index_ = index;
  if (listener_.replaced) listener_.replaced();
  return ok_status();
}

}  // namespace shoal::manager
