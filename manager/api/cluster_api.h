// ClusterApi: what control.Cluster means. Reads and changes on the leader; elsewhere the call goes
// there (leader_calls.h).
//
// Reads see everything acknowledged before them (read index). Changes are planned by
// manager/control, committed, applied, and only then answered. Promotion is a change of a node's
// desired role, which the node follows; demotion first takes the member out of the raft group.
//
// Thread rule: handle() from any thread, everything else on the strand.
#pragma once

#include "manager/api/cluster_call.h"
#include "manager/api/leader_calls.h"
#include "manager/api/raft_members.h"
#include "manager/control/commands.h"
#include "proto/common.pb.h"

namespace shoal::manager {

class ClusterApi final : public ClusterHandler {
 public:
  ClusterApi(Strand& strand, Replica& replica, LeaderCalls& calls, RaftMembers& members)
      : strand_(strand), replica_(replica), calls_(calls), members_(members) {}

  void handle(std::shared_ptr<ClusterCall> call) override;

 private:
  using CallPtr = std::shared_ptr<ClusterCall>;

  void start(const CallPtr& call);
  // As the leader. `done` once.
  void execute(const CallPtr& call, const LeaderCalls::Call& now, StatusDone done);
  void read(const CallPtr& call, const StatusDone& done);
  Status answer_read(const ClusterCall& call);
  common::Node node_view(const Node& node) const;

  void raft_status(const CallPtr& call);
  void get_join_token(const CallPtr& call, const std::string& request_id, StatusDone done);
  // autolock.cc
  void get_unlock_key(const CallPtr& call, const std::string& request_id, StatusDone done);
  void update_cluster(const CallPtr& call, const std::string& request_id, StatusDone done);
  void update_node(const CallPtr& call, StatusDone done);
  void remove_node(const CallPtr& call, bool retry, StatusDone done);
  void remove_worker(const CallPtr& call, bool retry, StatusDone done);
  void create_network(const CallPtr& call, const LeaderCalls::Call& now, StatusDone done);
  void remove_network(const CallPtr& call, const LeaderCalls::Call& now, StatusDone done);

  control::Draw draw() { return {replica_.wall(), replica_.rng()}; }

  Strand& strand_;
  Replica& replica_;
  LeaderCalls& calls_;
  RaftMembers& members_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
