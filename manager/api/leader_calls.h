// LeaderCalls: carries calls out on the leader, wherever it is, until the caller's deadline.
//
// A call is tried here when this manager leads, else sent to the leader; when that fails in a way
// that another leader can make good (no leader, connection lost, leadership lost), it is tried
// again. So a change of leader costs a caller time and nothing else. A try whose answer was lost
// may have been carried out: what a call does must take effect once for one request id, which stays
// the same. Ended with kUnavailable, the call was not carried out by any try; when that is not
// known it is kDeadlineExceeded.
//
// Thread rule: strand; `done` is called there.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/runtime/strand.h"
#include "manager/api/replica.h"
#include "manager/security/credentials.h"

namespace shoal::manager {

// Calls under way at once; a flood from the local socket or the cluster port ends here.
inline constexpr size_t kMaxLeaderCalls = 1024;
// Between two tries without news about the leader. News wakes a call at once.
inline constexpr Duration kRetryFirst = std::chrono::milliseconds(20);
inline constexpr Duration kRetryMost = std::chrono::milliseconds(500);

// One try on another manager: starts the call and returns. `done` from any thread; the context
// lives until then. `accept` is run on the strand when the answer is still wanted.
using RemoteDone = std::function<void(grpc::Status, std::function<void()> accept)>;
using RemoteTry = std::function<void(const std::shared_ptr<grpc::Channel>& channel,
                                     grpc::ClientContext& context, RemoteDone done)>;

// The usual RemoteTry: one unary method of Service's stub, called by `method(async, arguments...)`.
// `request` and `response` live until the call is done; each try has an answer of its own, so a
// late one is written nowhere.
template <typename Service, typename Request, typename Response, typename Method>
RemoteTry remote_try(Method method, const Request* request, Response* response) {
  return [=](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
             RemoteDone done) {
    const std::shared_ptr<typename Service::Stub> stub = Service::NewStub(channel);
    const auto answer = std::make_shared<Response>();
    method(stub->async(), &context, request, answer.get(),
           [stub, answer, response, done](const grpc::Status& status) {
             done(status, [answer, response] { response->Swap(answer.get()); });
           });
  };
}

class LeaderCalls {
 public:
  struct Call {
    std::string request_id;  // an id; drawn here when empty
    std::chrono::system_clock::time_point deadline;
    bool forwarded = false;  // from another manager: refused when this one does not lead
    // Not 0: an earlier try may have been carried out, by a later raft index than this.
    uint64_t retried_since = 0;
    bool anywhere = false;  // `local` may be tried on any manager, and there is no `remote`
    std::map<std::string, std::string> metadata;  // for the leader, beside the request id
    // Here, as the leader.
    std::function<void(const Call&, StatusDone)> local;
    // `local` may go on after `done` was called: nothing that it touches ends with the call.
    bool outlived = false;
    // What to answer when no leader can come (Replica::quorum_lost); absent: that refusal.
    std::function<Status(const Error&)> without_quorum;
    RemoteTry remote;
    StatusDone done;
  };

  LeaderCalls(Strand& strand, Replica& replica, IdentityFiles identity)
      : strand_(strand), replica_(replica), identity_(std::move(identity)) {}
  ~LeaderCalls() { stop(); }

  void start(Call call);
  // Wakes what waits and gives up on answers from a former leader.
  void leader_changed();
  // Ends every call that waits for a leader: none can come.
  void quorum_lost();
  // Ends every call. Later ones are refused.
  void stop();
  // To a manager's cluster port; kept for the next call.
  std::shared_ptr<grpc::Channel> channel_to(const std::string& address);

 private:
  struct State;
  void step(const std::shared_ptr<State>& state);
  void send(const std::shared_ptr<State>& state, const HostPort& address);
  void tried(const std::shared_ptr<State>& state, const Status& status);
  void finish(const std::shared_ptr<State>& state, Status status);
  void finish_without_quorum(const std::shared_ptr<State>& state, const Error& lost);

  Strand& strand_;
  Replica& replica_;
  IdentityFiles identity_;
  std::set<std::shared_ptr<State>> calls_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
  bool stopped_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace shoal::manager
