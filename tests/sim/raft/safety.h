// Safety: looks at every step of every member, and at what reaches the disk and the network.
//
//   election safety        one leader per term
//   log matching           an index and a term name one entry, wherever it is saved
//   leader completeness    a new leader has every entry that any member knows to be committed
//   commit                 never goes back, and all agree what is committed at an index
//   state machine safety   the same command at the same index, with the same outcome; the same
//                          bytes of the whole store at the same index
//   durable, then said     an append is acknowledged, a vote given, an own one counted and an entry
//                          applied when it is on the disk; what a member takes for durable is on
//                          its disk, as it is
//   exactly once           no request takes effect twice
//   allocation             no address, MAC or VNI has two owners
//
// It is told in the order of virtual time; the first violation is what a run ends with.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "manager/store/store.h"
#include "raft/core/core.h"
#include "raft/driver/ports.h"

namespace shoal::sim {

class Safety {
 public:
  using Violate = std::function<void(const std::string&)>;
  explicit Safety(Violate violate) : violate_(std::move(violate)) {}

  void leads(raft::RaftId id, const raft::Core& core, const raft::LogStore::Loaded& durable);
  void saves(raft::RaftId id, const raft::LogStore::Batch& batch);
  // After anything happened at a member; `known` is its commit index of the last time.
  void stepped(raft::RaftId id, const raft::Core& core, raft::Index& known,
               const raft::LogStore::Loaded& durable);
  void sends(raft::RaftId id, const raft::Message& message, const raft::LogStore::Loaded& durable);
  void applies(raft::RaftId id, raft::Index index, raft::Term term, std::string_view command,
               const manager::Outcome& outcome, const raft::LogStore::Loaded& durable);
  void holds(raft::RaftId id, raft::Index index, std::string_view store);

  // How often a command was carried out, by its bytes.
  int times(const std::string& command) const;

 private:
  struct Applied {
    raft::Term term = 0;
    uint64_t command = 0;
    uint64_t outcome = 0;
  };
  struct Commit {
    raft::Term term = 0;  // the entry's
    raft::Term by = 0;    // of the leader that committed it
  };
  void account(const manager::Change& change);
  void own(std::map<std::string, std::string>& owners, const std::string& what,
           const std::string& owner, bool removed);

  Violate violate_;
  std::map<raft::Term, raft::RaftId> leaders_;
  std::map<std::pair<raft::Index, raft::Term>, uint64_t> entries_;
  std::map<raft::Index, Commit> committed_;
  std::map<raft::Index, Applied> applied_;
  std::map<raft::Index, uint64_t> stores_;
  std::unordered_map<std::string, int> times_;
  std::map<std::string, raft::Index> requests_;   // where they took effect
  std::map<std::string, std::string> addresses_;  // "network address" -> endpoint
  std::map<std::string, std::string> macs_;       // "network mac" -> endpoint
  std::map<std::string, std::string> vnis_;       // -> network
};

// FNV-1a, for digests that do not depend on the platform's hash.
uint64_t digest(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325ULL);

}  // namespace shoal::sim
