// ClusterCall: one call of control.Cluster on its way to whoever answers it. ClusterHandler: who
// answers.
//
// The gRPC service (cluster_service.h) makes calls; a manager's handler answers them or forwards
// them to the leader; a worker's node puts its own handler in the same place.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/types/id.h"
#include "base/types/result.h"

namespace shoal::manager {

enum class ClusterMethod {
  kGetJoinToken,
  kGetUnlockKey,
  kUpdateCluster,
  kListNodes,
  kInspectNode,
  kUpdateNode,
  kRemoveNode,
  kCreateNetwork,
  kListNetworks,
  kInspectNetwork,
  kRemoveNetwork,
  kListEndpoints,
  kInspectEndpoint,
  kGetRaftStatus,
};

struct ClusterCall {
  ClusterMethod method = ClusterMethod::kListNodes;
  // control::<Method>Request and ...Response of `method`, alive until `done` is called.
  const google::protobuf::Message* request = nullptr;
  google::protobuf::Message* response = nullptr;
  // Drawn by the first manager that sees the call and passed along, so that trying again after a
  // leader change does not do the thing twice. Empty: not drawn yet.
  std::string request_id;
  std::chrono::system_clock::time_point deadline;
  bool forwarded = false;  // came from another manager: it must not be forwarded a second time
  // Not 0: an earlier try of it may have been carried out, by a later raft index than this.
  uint64_t retried_since = 0;
  NodeId caller;         // whose certificate, on the cluster port; empty on the local socket
  bool running = false;  // its change is under way here
  // For the person who asked, beside a good answer: a sentence, or empty.
  std::string notice;
  // Ends what others own: from now on request and response are this object's. For a call that is
  // answered while its change is still under way.
  void detach() {
    own_request_.reset(request->New());
    own_request_->CopyFrom(*request);
    request = own_request_.get();
    own_response_.reset(response->New());
    response = own_response_.get();
  }
  // The node that "self" names: the one the call came in at.
  const NodeId& self_or(const NodeId& here) const { return caller.empty() ? here : caller; }
  // Called once, from any thread, with `response` filled when ok.
  std::function<void(Status)> done;

 private:
  std::unique_ptr<google::protobuf::Message> own_request_;
  std::unique_ptr<google::protobuf::Message> own_response_;
};

class ClusterHandler {
 public:
  virtual ~ClusterHandler() = default;
  // From any thread; never blocks.
  virtual void handle(std::shared_ptr<ClusterCall> call) = 0;
};

}  // namespace shoal::manager
