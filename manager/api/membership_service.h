// MembershipService: ca.Membership: managers enter and leave the raft group. Leader only: a
// follower answers UNAVAILABLE and names the leader in the trailing metadata.
#pragma once

#include <memory>

#include "base/runtime/strand.h"
#include "manager/api/raft_members.h"
#include "manager/api/replica.h"
#include "manager/security/policy.h"
#include "proto/ca.grpc.pb.h"

namespace shoal::manager {

class MembershipService final : public ca::Membership::CallbackService {
 public:
  MembershipService(Strand& strand, Replica& replica, RaftMembers& members)
      : strand_(strand), replica_(replica), members_(members) {}

  grpc::ServerUnaryReactor* JoinRaft(grpc::CallbackServerContext* context,
                                     const ca::JoinRaftRequest* request,
                                     ca::JoinRaftResponse* response) override;
  grpc::ServerUnaryReactor* LeaveRaft(grpc::CallbackServerContext* context,
                                      const ca::LeaveRaftRequest* request,
                                      ca::LeaveRaftResponse* response) override;

 private:
  void start(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
             std::function<void(const NodeId& caller, StatusDone done)> work);

  Strand& strand_;
  Replica& replica_;
  RaftMembers& members_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
