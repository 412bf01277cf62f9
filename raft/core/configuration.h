// Configuration: who the members are, and how one change makes the next (thesis 4.1: one member at
// a time, taking effect when applied).
//
// ConfChange in an entry: version u8 (1) | kind u8 | id u64 | address text. A reader that meets
// another version applies nothing and says so; a later version adds joint changes.
#pragma once

#include <map>
#include <vector>

#include "base/types/result.h"
#include "raft/quorum/majority.h"
#include "raft/types.h"

namespace shoal::raft {

enum class ConfChangeKind : uint8_t {
  kAddLearner = 1,  // a new member that does not vote; or a new address for a learner
  kAddVoter = 2,    // promotes a learner or adds a voter; or a new address for a voter
  kRemove = 3,
};

struct ConfChange {
  ConfChangeKind kind = ConfChangeKind::kAddLearner;
  Member member;  // of a removal only the id counts
};

std::string encode(const ConfChange& change);
Result<ConfChange> decode_conf_change(std::string_view data);

class Configuration {
 public:
  Configuration() = default;
  explicit Configuration(const std::vector<Member>& members);

  const MajorityConfig& voters() const { return voters_; }
  const std::map<RaftId, Member>& members() const { return members_; }
  std::vector<Member> list() const;  // by id
  bool contains(RaftId id) const { return members_.contains(id); }
  bool is_voter(RaftId id) const { return voters_.contains(id); }

  // Why a change may not be proposed: kInvalidArgument (id or address), kNotFound (removing a
  // stranger), kConflict (the last voter; a voter made learner), kResourceExhausted.
  Status check(const ConfChange& change) const;
  // A change that fails check() has no effect, on every member alike.
  void apply(const ConfChange& change);

 private:
  void rebuild();

  std::map<RaftId, Member> members_;
  MajorityConfig voters_;
};

}  // namespace shoal::raft
