#include "tests/sim/raft/machine.h"

#include <algorithm>
#include <utility>

#include "manager/wire/store_wire.h"

namespace shoal::sim {

using manager::Change;
using manager::Object;
using raft::Index;

namespace {

std::string key_of(const Object& object) {
  struct Key {
    std::string operator()(const manager::Cluster&) { return "c"; }
    std::string operator()(const manager::Network& o) { return "w" + o.id.str(); }
    std::string operator()(const manager::Endpoint& o) { return "e" + o.id.str(); }
    std::string operator()(const manager::Node& o) { return "n" + o.id.str(); }
    std::string operator()(const manager::Quarantined& o) {
      return "q" + o.network_id.str() + o.address.str();
    }
    std::string operator()(const manager::AddressCursor& o) {
      return "a" + o.network_id.str() + o.subnet.str();
    }
    std::string operator()(const manager::HandledRequest& o) {
      return "h" + std::to_string(o.index);
    }
  };
  return std::visit(Key{}, object);
}

// What the tables hold now, as raft/storage reads it later on.
class Source final : public raft::SnapshotSource {
 public:
  Source(Tables& tables, Index index, bool behind)
      : tables_(tables),
        index_(index),
        behind_(behind),
        data_(manager::wire::encode_snapshot(tables.objects())) {}

  uint64_t size_hint() const override { return data_.size(); }
  Result<std::string> next(size_t) override {
    if (behind_) return unavailable("the tables are behind");
    return std::exchange(data_, std::string());
  }
  Status make_durable() override {
    if (behind_) return unavailable("the tables are behind");
    tables_.sync(index_);
    return ok_status();
  }

 private:
  Tables& tables_;
  const Index index_;
  const bool behind_;
  std::string data_;
};

}  // namespace

void Tables::write(Index index, std::vector<Change> changes) {
  writes_.push_back({index, std::move(changes)});
}

void Tables::replace(Index index, const std::vector<Object>& objects) {
  objects_.clear();
  writes_.clear();
  for (const Object& object : objects) objects_.emplace(key_of(object), object);
  objects_at_ = index;
}

void Tables::sync(Index index) {
  for (; !writes_.empty(); writes_.pop_front()) put(writes_.front());
  objects_at_ = std::max(objects_at_, index);
}

void Tables::put(const Write& write) {
  for (const Change& change : write.changes) {
    if (change.removed) {
      objects_.erase(key_of(change.object));
    } else {
      objects_.insert_or_assign(key_of(change.object), change.object);
    }
  }
  objects_at_ = write.index;
}

void Tables::crash(Rng& rng) {
  for (uint64_t keep = rng.below(writes_.size() + 1); keep > 0; --keep) {
    put(writes_.front());
    writes_.pop_front();
  }
  writes_.clear();
}

std::vector<Object> Tables::objects() const {
  Tables all = *this;
  for (const Write& write : writes_) all.put(write);
  std::vector<Object> out;
  for (auto& [key, object] : all.objects_) out.push_back(std::move(object));
  return out;
}

Status Tables::load(manager::Store& store) const {
  for (Object& object : objects()) store.load(std::move(object));
  return store.finish_load(applied());
}

Index Tables::applied() const { return writes_.empty() ? objects_at_ : writes_.back().index; }

Status Machine::open() {
  applied_index_ = tables_.applied();
  return tables_.load(store_);
}

Result<std::string> Machine::apply(Index index, raft::Term term, std::string_view command) {
  watch_.before_apply();
  SHOAL_CHECK(index > applied_index_, "applied twice");
  applied_index_ = index;
  const auto decoded = manager::wire::decode_command(command);
  SHOAL_CHECK(decoded.ok(), "a command that nobody can read");
  manager::Outcome outcome = store_.apply(index, *decoded);
  watch_.applied(index, term, command, outcome, store_);
  std::string answer = std::to_string(index) + " ";
  if (!outcome.answer.ok()) {
    answer += to_string(outcome.answer.error().code);
  } else {
    answer += std::holds_alternative<std::monostate>(*outcome.answer) ? "nothing" : "ok";
  }
  if (!outcome.changes.empty()) tables_.write(index, std::move(outcome.changes));
  return answer;
}

std::unique_ptr<raft::SnapshotSource> Machine::snapshot(Index index) {
  watch_.made_snapshot(applied_index_, manager::wire::encode_snapshot(store_.objects()));
  applied_index_ = index;
  return std::make_unique<Source>(tables_, index, watch_.tables_behind());
}

Status Machine::restore(Index index, const std::shared_ptr<const raft::SnapshotData>& data) {
  watch_.before_apply();
  const auto objects = SHOAL_TRY(manager::wire::decode_snapshot(SHOAL_TRY(raft::read_all(*data))));
  manager::Store store;
  for (const Object& object : objects) store.load(object);
  SHOAL_TRY(store.finish_load(index));
  tables_.replace(index, objects);
  store_ = std::move(store);
  applied_index_ = index;
  watch_.restored(index, manager::wire::encode_snapshot(store_.objects()));
  return ok_status();
}

}  // namespace shoal::sim
