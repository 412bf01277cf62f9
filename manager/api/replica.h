// Replica: what the services of a manager ask of the replicated store. Implemented by the Manager;
// tests give a fake. Everything on the strand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "manager/model/command.h"
#include "manager/security/policy.h"
#include "manager/store/store.h"

namespace shoal::control {
class GetRaftStatusResponse;
}

namespace shoal::manager {

// Trailing metadata of a refusal by a follower: the leader's cluster port.
inline constexpr char kLeaderMetadata[] = "shoal-leader";
// Trailing metadata of a good answer: a sentence for the person who asked.
inline constexpr char kNoticeMetadata[] = "shoal-notice";
// Metadata of a call that one manager forwards to another.
inline constexpr char kRequestIdMetadata[] = "shoal-request-id";
// Of one that may have been carried out by an earlier try: an index applied before the first.
inline constexpr char kRetryMetadata[] = "shoal-retry";
inline constexpr char kOnBehalfOfMetadata[] = "shoal-on-behalf-of";

using AnswerDone = std::function<void(Result<Answer>)>;
using StatusDone = std::function<void(Status)>;

class Replica {
 public:
  virtual ~Replica() = default;
  virtual const Store& store() const = 0;
  virtual const NodeId& self() const = 0;
  virtual bool is_leader() const = 0;
  // The leader's cluster port, when it is another manager and known.
  virtual std::optional<HostPort> leader_address() const = 0;
  // Done when applied here. kUnavailable: it did not happen; kDeadlineExceeded: it may or may not.
  virtual void propose(Command command, AnswerDone done) = 0;
  // Done when the store holds everything acknowledged before this call. kUnavailable.
  virtual void read(StatusDone done) = 0;

  virtual WallTime wall() const = 0;
  virtual Rng& rng() = 0;
  // As the dispatcher sees it: a node not heard of since the leader changed is unknown.
  virtual NodeState state_of(const Node& node) const = 0;
  // Whether raft heard of this member lately; on the leader only, else false.
  virtual bool reachable(uint64_t raft_id) const = 0;
  virtual uint64_t leader_raft_id() const = 0;

  // Too few managers answer for any decision, and that is no election: the refusal that says so.
  virtual std::optional<Error> quorum_lost() const = 0;
  struct Peer {
    uint64_t raft_id = 0;
    HostPort address;  // cluster port
  };
  // The other members of the raft group.
  virtual std::vector<Peer> peers() const = 0;
  // What this manager knows of the group, for GetRaftStatus.
  virtual void describe_raft(shoal::control::GetRaftStatusResponse& out) const = 0;
};

// Builds a command from the store as it is here and proposes it. A refusal that may come from a
// store behind the cluster's is given only after a read. `done` once.
void change(Replica& replica, std::function<Result<Command>()> build, AnswerDone done);
// The same for a request that was tried before. Its first try may still be on its way through this
// manager's log, where a read does not wait for it: a refusal is given only behind it.
void change_again(Replica& replica, std::function<Result<Command>()> build, AnswerDone done);

// authorize(), and what only the store knows: the certificate is of this cluster and its node has
// neither been removed nor lost the role that the method needs.
Status admit(const Store& store, const Caller& caller, Method method);

// The refusal of a follower.
Error not_leader(const Replica& replica);

}  // namespace shoal::manager
