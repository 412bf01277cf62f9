#include "manager/joiner.h"

#include <chrono>

#include "manager/api/replica.h"

namespace shoal::manager {
namespace {

constexpr std::chrono::seconds kAttemptTimeout{5};  // a removal and an addition, each a commit
constexpr Duration kPause = std::chrono::milliseconds(200);

Instant steady_now() { return {std::chrono::steady_clock::now().time_since_epoch().count()}; }

}  // namespace

void Joiner::start(const std::vector<HostPort>& managers, Instant now, Instant deadline,
                   Done done) {
  cancel();
  managers_ = managers;
  next_ = 0;
  deadline_ = deadline;
  done_ = std::move(done);
  if (managers_.empty()) return finish(invalid_argument("no manager to join is known"));
  ask(now);
}

void Joiner::cancel() {
  timer_->cancel();
  if (attempt_) attempt_->context.TryCancel();
  attempt_.reset();
  if (done_) finish(unavailable("joining was given up"));
}

void Joiner::ask(Instant now) {
  if (!done_) return;
  if (now >= deadline_) return finish(last_);
  const std::string address =
      !leader_.empty() ? leader_ : managers_[next_++ % managers_.size()].str();
  leader_.clear();
  auto attempt = std::make_shared<Attempt>();
  attempt_ = attempt;
  attempt->context.set_deadline(std::chrono::system_clock::now() + kAttemptTimeout);
  attempt->request.set_address(self_.str());
  attempt->stub = ca::Membership::NewStub(manager_channel(identity_, address));
  attempt->stub->async()->JoinRaft(&attempt->context, &attempt->request, &attempt->response,
                                   [this, &strand = strand_, alive = std::weak_ptr(alive_),
                                    attempt](const grpc::Status& status) {
                                     strand.post([this, alive, attempt, status] {
                                       if (!alive.expired() && attempt == attempt_)
                                         answered(attempt, status);
                                     });
                                   });
}

void Joiner::answered(const std::shared_ptr<Attempt>& attempt, const grpc::Status& status) {
  attempt_.reset();
  if (!status.ok()) {
    last_ = from_grpc(status);
    const auto& trailing = attempt->context.GetServerTrailingMetadata();
    if (const auto leader = trailing.find(kLeaderMetadata); leader != trailing.end()) {
      const std::string text(leader->second.data(), leader->second.size());
      if (HostPort::parse(text)) leader_ = text;
    }
    timer_->wake_at(steady_now() + kPause, [this, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) ask(steady_now());
    });
    return;
  }
  RaftMemberFile file;
  file.raft_id = attempt->response.raft_id();
  for (const auto& member : attempt->response.members()) {
    if (file.members.size() >= raft::kMaxMembers || !HostPort::parse(member.address())) continue;
    file.members.push_back({member.raft_id(), member.address(), false});
  }
  if (file.raft_id == 0) return finish(data_loss("the leader answered without a raft id"));
  finish(std::move(file));
}

void Joiner::finish(Result<RaftMemberFile> result) {
  const Done done = std::exchange(done_, nullptr);
  if (done) done(std::move(result));
}

}  // namespace shoal::manager
