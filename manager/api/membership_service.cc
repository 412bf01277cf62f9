#include "manager/api/membership_service.h"

#include "manager/api/call_context.h"

namespace shoal::manager {

void MembershipService::start(grpc::CallbackServerContext* context,
                              grpc::ServerUnaryReactor* reactor,
                              std::function<void(const NodeId& caller, StatusDone done)> work) {
  const Caller caller = caller_of(*context);
  if (const Status allowed = authorize(caller, Method::kRaft); !allowed) {
    return reactor->Finish(to_grpc(allowed.error()));
  }
  strand_.post(
      [this, alive = std::weak_ptr(alive_), context, reactor, caller, work = std::move(work)] {
        if (alive.expired()) {
          return reactor->Finish(to_grpc(unavailable("this manager is stopping")));
        }
        if (!replica_.is_leader()) {
          name_leader(*context, replica_.leader_address());
          return reactor->Finish(to_grpc(not_leader(replica_)));
        }
        if (const Status allowed = admit(replica_.store(), caller, Method::kRaft); !allowed) {
          return reactor->Finish(to_grpc(allowed.error()));
        }
        work(caller.node, [reactor](const Status& status) {
          reactor->Finish(status ? grpc::Status::OK : to_grpc(status.error()));
        });
      });
}

grpc::ServerUnaryReactor* MembershipService::JoinRaft(grpc::CallbackServerContext* context,
                                                      const ca::JoinRaftRequest* request,
                                                      ca::JoinRaftResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  start(context, reactor, [this, request, response](const NodeId& caller, StatusDone done) {
    const auto address = HostPort::parse(request->address());
    if (!address) return done(address.error());
    members_.join(caller, *address,
                  [response, done = std::move(done)](const Result<RaftMembers::Joined>& joined) {
                    if (!joined) return done(joined.error());
                    response->set_raft_id(joined->raft_id);
                    for (const raft::Member& member : joined->members) {
                      auto* out = response->add_members();
                      out->set_raft_id(member.id);
                      out->set_address(member.address);
                    }
                    done(ok_status());
                  });
  });
  return reactor;
}

grpc::ServerUnaryReactor* MembershipService::LeaveRaft(grpc::CallbackServerContext* context,
                                                       const ca::LeaveRaftRequest*,
                                                       ca::LeaveRaftResponse*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  start(context, reactor, [this](const NodeId& caller, const StatusDone& done) {
    members_.demote(caller, [done](const Result<Answer>& answer) {
      done(answer ? ok_status() : Status(answer.error()));
    });
  });
  return reactor;
}

}  // namespace shoal::manager
