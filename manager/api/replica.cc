#include "manager/api/replica.h"

#include <array>

namespace shoal::manager {

void change(Replica& replica, std::function<Result<Command>()> build, AnswerDone done) {
  Result<Command> command = build();
  if (command) return replica.propose(std::move(*command), std::move(done));
  replica.read([&replica, build = std::move(build), done = std::move(done)](const Status& status) {
    if (!status) return done(status.error());
    Result<Command> again = build();
    if (!again) return done(again.error());
    replica.propose(std::move(*again), done);
  });
}

void change_again(Replica& replica, std::function<Result<Command>()> build, AnswerDone done) {
  Result<Command> command = build();
  if (command) return replica.propose(std::move(*command), std::move(done));
  // Nothing has an id that was just drawn: this only takes its place in the log.
  std::array<uint8_t, 16> random;
  replica.rng().fill(random);
  Command nothing{replica.wall(), 0, RemoveNetwork{NetworkId::from_random(random)}};
  replica.propose(std::move(nothing), [&replica, build = std::move(build),
                                       done = std::move(done)](const Result<Answer>& passed) {
    if (passed || passed.error().code != ErrorClass::kNotFound) {
      return done(passed ? Result<Answer>(internal_error("an id was drawn twice")) : passed);
    }
    Result<Command> again = build();
    if (!again) return done(again.error());
    replica.propose(std::move(*again), done);
  });
}

Status admit(const Store& store, const Caller& caller, Method method) {
  SHOAL_TRY(authorize(caller, method));
  if (!caller.authenticated) return ok_status();
  const Cluster* cluster = store.cluster();
  if (cluster == nullptr) {
    return unavailable("this manager does not know the cluster's state yet: try again");
  }
  if (caller.cluster != cluster->id) {
    return permission_denied("the certificate of node " + caller.node.str() +
                             " is of another cluster");
  }
  if (store.was_removed(caller.node)) {
    return permission_denied("node " + caller.node.str() +
                             " was removed from the cluster: run `shoal leave --force` on it, and "
                             "join it again");
  }
  const bool needs_manager = method == Method::kRaft || method == Method::kCluster;
  const Node* node = store.node(caller.node);
  if (needs_manager && node != nullptr && node->spec.role != Role::kManager) {
    return permission_denied("node " + caller.node.str() + " was demoted to a worker");
  }
  return ok_status();
}

Error not_leader(const Replica& replica) {
  if (auto lost = replica.quorum_lost()) return std::move(*lost);
  const auto address = replica.leader_address();
  return unavailable(address ? "this manager is not the leader; the leader is " + address->str()
                             : "the managers have no leader at the moment: try again");
}

}  // namespace shoal::manager
