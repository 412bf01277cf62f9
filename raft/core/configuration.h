// Configuration: who the members are, and how one change makes the next.
//
// A change of one member takes effect in one step (thesis 4.1). A set of changes goes through a
// joint configuration (thesis 4.3): from its entry on both the outgoing and the incoming voters
// must agree, until a second entry, an empty set, leaves it. Changes take effect when applied.
//
// In an entry: version u8 (1) | kind u8 | id u64 | address text
//          or: version u8 (2) | transition u8 | count varint | count x (kind u8, id u64, address
//          text)
// A reader that meets another version applies nothing and says so.
#pragma once

#include <map>
#include <vector>

#include "base/types/result.h"
#include "raft/quorum/joint.h"
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

  friend bool operator==(const ConfChange&, const ConfChange&) = default;
};

enum class Transition : uint8_t {
  kAuto = 0,           // joint when there is more than one change; the leader leaves it by itself
  kJointImplicit = 1,  // joint in any case; the leader leaves it by itself
  kJointExplicit = 2,  // joint in any case, until an empty set is proposed
};

struct ConfChangeSet {
  Transition transition = Transition::kAuto;
  std::vector<ConfChange> changes;  // none: leave the joint configuration
  bool single = false;              // written as version 1, which every member understands

  bool leaves_joint() const { return changes.empty(); }
  bool enters_joint() const { return transition != Transition::kAuto || changes.size() > 1; }
};

std::string encode(const ConfChange& change);
std::string encode(const ConfChangeSet& set);
// kDataLoss, kUnimplemented (a later version). Takes both versions.
Result<ConfChangeSet> decode_conf_changes(std::string_view data);

class Configuration {
 public:
  Configuration() = default;
  explicit Configuration(const std::vector<Member>& members);

  const JointConfig& voters() const { return voters_; }
  const std::map<RaftId, Member>& members() const { return members_; }
  std::vector<Member> list() const;  // by id
  bool contains(RaftId id) const { return members_.contains(id); }
  bool is_voter(RaftId id) const { return voters_.contains(id); }  // in either half
  bool joint() const { return voters_.joint(); }
  bool leaves_joint_itself() const;

  // Why a change may not be proposed: kInvalidArgument (id or address), kNotFound (removing a
  // stranger), kConflict (the last voter; a voter made learner; joint), kResourceExhausted.
  Status check(const ConfChange& change) const;
  // The same for a set; also kConflict when it does not fit: leaving what is not joint, anything
  // else while joint. A voter may be made a learner here.
  Status check(const ConfChangeSet& set) const;
  // A change that does not fit has no effect, on every member alike.
  void apply(const ConfChangeSet& set);

 private:
  Status check_one(const ConfChange& change) const;
  void change(const ConfChange& change);
  void enter_joint(bool leaves_itself);
  void leave_joint();
  void rebuild();

  std::map<RaftId, Member> members_;
  JointConfig voters_;
};

}  // namespace shoal::raft
