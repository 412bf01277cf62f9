// Node: one member in memory for scripts: a core, a disk that is durable when told, an appending
// state machine, and its own clock that stands still between ticks.
//
// With async storage the saves and the applying wait in queues until their thread is told to work,
// and the core hears of a save by a parcel that must be delivered.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/core/core.h"

namespace shoal::raft::script {

// On the way to a node: a message, word from its own storage, or a proposal that a follower passes
// on to its leader (as managers do above raft, and published scenarios within it).
struct Parcel {
  enum class Kind { kMessage, kAppended, kApplied, kProposal };
  Kind kind = Kind::kMessage;
  Message message;                      // of the other kinds only `to` counts
  uint64_t seq = 0;                     // kAppended: what is durable
  std::string text;                     // of the other kinds: how it is listed
  std::string data;                     // kProposal
  std::optional<ConfChangeSet> change;  // kProposal: instead of `data`

  RaftId to() const { return message.to; }
  bool local() const { return kind == Kind::kAppended || kind == Kind::kApplied; }
  std::string describe() const;
};

struct NodeConfig {
  CoreConfig core;
  bool async_storage = false;
};

class Node {
 public:
  // `initial` is what all new nodes start from; its index is 0 for an empty one.
  Node(NodeConfig config, const Snapshot& initial);
  ~Node();

  RaftId id() const { return config_.core.id; }
  Core& core() { return *core_; }
  const Core& core() const { return *core_; }
  Instant now() const { return now_; }
  // One heartbeat interval passes.
  void tick();
  // What a proposal answers; ok for all else.
  Status deliver(Parcel parcel);
  // Here when this node leads, else by its leader; kUnavailable "raft proposal dropped" without
  // one. A change that does not fit leaves an empty entry in its place, as published logs have it,
  // and a word to `note`.
  Status propose(Parcel proposal, std::string& note);
  // The core as its disk has it; what waited in queues is lost.
  void restart();

  // Takes one round from the core and lists it; what is to be sent goes to `out`. Empty when there
  // was nothing to do.
  std::string process_ready(std::vector<Parcel>& out);
  bool has_append_work() const { return !append_work_.empty(); }
  bool has_apply_work() const { return !apply_work_.empty(); }
  std::string process_append(std::vector<Parcel>& out);
  std::string process_apply(std::vector<Parcel>& out);

  const std::vector<Entry>& stored() const { return disk_.entries; }
  Index first_stored() const { return disk_.offset + 1; }
  // The latest applied state.
  std::shared_ptr<const Snapshot> snapshot() const { return applied_; }
  // kInvalidArgument when `index` is compacted already or not applied.
  Status compact(Index index);

 private:
  struct AppendWork {
    HardState hard;
    bool hard_changed = false;
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<Entry> entries;
    std::vector<Message> messages;
    uint64_t seq = 0;
  };
  class Draws;

  void start(Instant now);
  Effects take();
  std::string describe(const Effects& effects, const HardState& hard, bool hard_changed);
  void save(const AppendWork& work);
  void apply(const std::vector<Entry>& entries);

  NodeConfig config_;
  std::unique_ptr<Draws> draws_;
  std::unique_ptr<Core> core_;
  Instant now_;
  InitialState disk_;
  Configuration configuration_;  // as of what is applied
  std::shared_ptr<const Snapshot> applied_;
  SoftState told_;
  HardState told_hard_;
  std::vector<Parcel> passed_on_;  // leaves with the next round
  std::deque<AppendWork> append_work_;
  std::deque<std::vector<Entry>> apply_work_;
};

}  // namespace shoal::raft::script
