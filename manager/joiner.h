// Joiner: asks managers, one after the other and the leader they name, to take this node into the
// raft group, until one does or time is up.
//
// Thread rule: strand.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/runtime/strand.h"
#include "manager/raft_member_file.h"
#include "manager/security/credentials.h"
#include "proto/ca.grpc.pb.h"

namespace shoal::manager {

class Joiner {
 public:
  using Done = std::function<void(Result<RaftMemberFile>)>;

  Joiner(Strand& strand, IdentityFiles identity, HostPort self)
      : strand_(strand), identity_(std::move(identity)), self_(self), timer_(strand.make_timer()) {}
  ~Joiner() { cancel(); }

  // One at a time. The error of the last refusal when time is up.
  void start(const std::vector<HostPort>& managers, Instant now, Instant deadline, Done done);
  void cancel();

 private:
  struct Attempt {
    grpc::ClientContext context;
    ca::JoinRaftRequest request;
    ca::JoinRaftResponse response;
    std::unique_ptr<ca::Membership::Stub> stub;
  };
  void ask(Instant now);
  void answered(const std::shared_ptr<Attempt>& attempt, const grpc::Status& status);
  void finish(Result<RaftMemberFile> result);

  Strand& strand_;
  IdentityFiles identity_;
  HostPort self_;
  std::unique_ptr<Timer> timer_;
  std::vector<HostPort> managers_;
  size_t next_ = 0;
  std::string leader_;  // named by a follower; asked next
  Instant deadline_;
  Error last_ = unavailable("no manager answered");
  Done done_;
  std::shared_ptr<Attempt> attempt_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
