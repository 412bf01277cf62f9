// RaftMembers: who is in the raft group, on the leader: joining, leaving, demotion.
//
// The node object's role says who should be a member, its raft_id which member it is. A raft id is
// drawn for each joining and never used again, so a member that comes back with an empty disk can
// never vote a second time as itself. A joiner is a learner until it has caught up, then tick()
// makes it a voter. One change at a time.
//
// Thread rule: strand.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "manager/api/replica.h"
#include "raft/driver/driver.h"

namespace shoal::manager {

class RaftMembers {
 public:
  struct Joined {
    uint64_t raft_id = 0;
    std::vector<raft::Member> members;
  };

  explicit RaftMembers(Replica& replica) : replica_(replica) {}
  // The driver is there once raft runs.
  void attach(raft::Driver* driver) { driver_ = driver; }

  // A node that should be a manager wants in. kNotFound, kConflict (not promoted, or being
  // demoted), kUnavailable.
  void join(const NodeId& node, const HostPort& address, std::function<void(Result<Joined>)> done);
  // Takes a node's member out of the group; leadership goes elsewhere first when it leads, which
  // answers kUnavailable: the next leader does the rest. kConflict for the last manager.
  void leave(const NodeId& node, StatusDone done);
  // leave(), and the node object becomes a worker's.
  void demote(const NodeId& node, AnswerDone done);

  // On the leader, now and then: promotes learners that have caught up. Whether there are any.
  bool tick();

 private:
  void add(const NodeId& node, const HostPort& address, std::function<void(Result<Joined>)> done);
  bool is_member(uint64_t raft_id) const;
  size_t voters() const;
  // Whether this manager began to lead so lately that others have not answered it yet.
  bool leads_since_lately() const;
  // kConflict when the managers that would be left could not decide anything; kUnavailable while
  // that cannot be told yet.
  Status check_quorum_without(uint64_t raft_id) const;
  Status hand_over();

  Replica& replica_;
  raft::Driver* driver_ = nullptr;
  std::map<NodeId, int> leaving_;  // nodes that are on their way out, by calls under way
  bool promoting_ = false;
  uint64_t led_term_ = 0;  // the last term in which this manager was seen to lead, and since when
  WallTime led_since_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
