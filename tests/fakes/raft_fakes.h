// Fakes of the raft driver's ports, with the failures of the real ones.
//
// FakeLogStore writes to a FakeDisk that outlives it. A save becomes durable after a delay; a crash
// (destroying the store) loses the saves under way, or the later ones of them. FakeStateMachine
// keeps its tables in a FakeTables that outlives it, written without sync: crash() takes back some
// of the newest commands.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/check.h"
#include "raft/driver/ports.h"
#include "tests/fakes/virtual_time.h"

namespace shoal::fakes {

struct FakeDisk {
  raft::LogStore::Loaded state;
  std::shared_ptr<const raft::SnapshotData> snapshot;
  bool full = false;                                // saves fail
  bool full_at_snapshot = false;                    // from the save of the next own snapshot on
  Duration latency = std::chrono::milliseconds(1);  // a save takes between one and two of these
};

class FakeLogStore final : public raft::LogStore {
 public:
  FakeLogStore(FakeDisk& disk, VirtualTime& time, Rng& rng)
      : disk_(disk), time_(time), rng_(rng), alive_(std::make_shared<int>()) {}
  // Saves under way are durable up to a random one; nobody hears of it.
  ~FakeLogStore() override {
    for (uint64_t keep = rng_.below(queue_.size() + 1); keep > 0 && !failed_ && !disk_.full;
         --keep) {
      write(queue_.front().first);
      queue_.pop_front();
    }
  }

  Result<Loaded> load() override {
    if (failed_ && disk_.full) return resource_exhausted("fake disk: full");
    failed_ = false;
    return disk_.state;
  }
  Result<std::shared_ptr<const raft::SnapshotData>> load_snapshot() override {
    if (!disk_.snapshot) return not_found("fake disk: no snapshot");
    return disk_.snapshot;
  }
  void write_out(raft::SnapshotMeta meta, std::unique_ptr<raft::SnapshotSource> source,
                 bool with_data, SnapshotCallback done) override {
    // Beside the saves, and as long as several of them.
    const auto delay = Duration(
        static_cast<int64_t>(rng_.below(4 * static_cast<uint64_t>(disk_.latency.count()) + 1)));
    time_.at(time_.now() + delay,
             [this, alive = std::weak_ptr(alive_), meta = std::move(meta),
              source = std::shared_ptr<raft::SnapshotSource>(std::move(source)), with_data,
              done = std::move(done)] {
               if (alive.expired()) return;
               if (disk_.full) return done(resource_exhausted("fake disk: full"));
               auto snapshot = std::make_shared<raft::Snapshot>(raft::Snapshot{meta, nullptr});
               if (with_data) {
                 auto text = source->next(SIZE_MAX);
                 if (!text) return done(text.error());
                 snapshot->data = raft::snapshot_text(std::move(*text));
               } else if (const Status durable = source->make_durable(); !durable) {
                 return done(durable.error());
               }
               done(std::shared_ptr<const raft::Snapshot>(std::move(snapshot)));
             });
  }

  void save(Batch batch, std::function<void(Status)> done) override {
    queue_.emplace_back(std::move(batch), std::move(done));
    const int64_t base = disk_.latency.count();
    const auto delay =
        Duration(base + static_cast<int64_t>(rng_.below(static_cast<uint64_t>(base) + 1)));
    free_at_ = std::max(free_at_, time_.now() + delay);  // one at a time, in order
    time_.at(free_at_, [this, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) finish_one();
    });
  }

 private:
  void finish_one() {
    auto [batch, done] = std::move(queue_.front());
    queue_.pop_front();
    if (batch.snapshot && !batch.snapshot_replaces_log) {
      disk_.full = disk_.full || std::exchange(disk_.full_at_snapshot, false);
    }
    failed_ = failed_ || disk_.full;
    if (!failed_) write(batch);
    done(failed_ ? Status(resource_exhausted("fake disk: full")) : ok_status());
  }

  void write(const Batch& batch) {
    Loaded& state = disk_.state;
    if (batch.hard_state) state.hard_state = *batch.hard_state;
    if (batch.snapshot) {
      state.snapshot = batch.snapshot->meta;
      disk_.snapshot = batch.snapshot->data;
      if (batch.snapshot_replaces_log) {
        state.entries.clear();
        state.offset = batch.snapshot->meta.index;
        state.offset_term = batch.snapshot->meta.term;
      }
    }
    if (!batch.entries.empty()) {
      const raft::Index first = batch.entries.front().index;
      SHOAL_CHECK(first > state.offset && first <= state.offset + state.entries.size() + 1,
                  "a save leaves a gap in the log");
      state.entries.resize(first - state.offset - 1);
      state.entries.insert(state.entries.end(), batch.entries.begin(), batch.entries.end());
    }
    if (batch.compact_to > state.offset) {
      SHOAL_CHECK(batch.compact_to <= state.snapshot.index, "compacted beyond the snapshot");
      state.entries.erase(
          state.entries.begin(),
          state.entries.begin() + static_cast<ptrdiff_t>(batch.compact_to - state.offset));
      state.offset = batch.compact_to;
      state.offset_term = batch.compact_term;
    }
  }

  FakeDisk& disk_;
  VirtualTime& time_;
  Rng& rng_;
  std::shared_ptr<int> alive_;
  std::deque<std::pair<Batch, std::function<void(Status)>>> queue_;
  Instant free_at_;
  bool failed_ = false;
};

struct FakeTables {
  std::vector<std::pair<raft::Index, std::string>> commands;  // in order
  raft::Index applied = 0;
  // What a crash never takes back.
  raft::Index synced = 0;

  void crash(Rng& rng) {
    const raft::Index keep = synced + rng.below(applied - synced + 1);
    while (!commands.empty() && commands.back().first > keep) commands.pop_back();
    applied = keep;
  }
};

class FakeStateMachine : public raft::StateMachine {
 public:
  explicit FakeStateMachine(FakeTables& tables) : tables_(tables) {}

  // The result is the command and its place: "3:text".
  Result<std::string> apply(raft::Index index, raft::Term, std::string_view command) override {
    SHOAL_CHECK(index > tables_.applied, "applied twice");
    if (!refuse.empty() && command == refuse) return unimplemented("fake: " + refuse);
    tables_.commands.emplace_back(index, command);
    tables_.applied = index;
    return std::to_string(index) + ":" + std::string(command);
  }
  std::unique_ptr<raft::SnapshotSource> snapshot(raft::Index index) override {
    return std::make_unique<Source>(tables_, index);
  }
  Status restore(raft::Index index,
                 const std::shared_ptr<const raft::SnapshotData>& text) override {
    const std::string data = SHOAL_TRY(raft::read_all(*text));
    ByteReader in(as_bytes(data));
    FakeTables fresh;
    for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
      const raft::Index at = in.u64();
      fresh.commands.emplace_back(at, in.text(data.size()));
    }
    if (!in.done()) return data_loss("malformed snapshot");
    fresh.applied = fresh.synced = index;
    tables_ = std::move(fresh);
    return ok_status();
  }
  raft::Index applied_index() const override { return tables_.applied; }

  std::string refuse;  // the command that this version does not know

 protected:
  FakeTables& tables_;

 private:
  class Source final : public raft::SnapshotSource {
   public:
    Source(FakeTables& tables, raft::Index index) : tables_(tables), index_(index) {
      ByteWriter out;
      out.varint(tables.commands.size());
      for (const auto& [index, command] : tables.commands) {
        out.u64(index);
        out.text(command);
      }
      text_ = as_text(out.view());
    }
    uint64_t size_hint() const override { return text_.size(); }
    Result<std::string> next(size_t) override { return std::exchange(text_, std::string()); }
    Status make_durable() override {
      tables_.synced = std::max(tables_.synced, index_);
      tables_.applied = std::max(tables_.applied, index_);
      return ok_status();
    }

   private:
    FakeTables& tables_;
    const raft::Index index_;
    std::string text_;
  };
};

}  // namespace shoal::fakes
