#include "manager/api/raft_status.h"

#include <algorithm>

namespace shoal::manager {
namespace {

struct Ask {
  grpc::ClientContext context;
  shoal::control::GetRaftStatusRequest request;
  shoal::control::GetRaftStatusResponse response;
  std::unique_ptr<shoal::control::Cluster::Stub> stub;
};

struct Collection {
  shoal::control::GetRaftStatusResponse out;
  size_t open = 0;
  std::function<void(shoal::control::GetRaftStatusResponse)> done;
};

shoal::control::RaftMemberStatus* find(shoal::control::GetRaftStatusResponse& response,
                                       uint64_t raft_id) {
  for (auto& member : *response.mutable_members()) {
    if (member.raft_id() == raft_id) return &member;
  }
  return nullptr;
}

void answered(uint64_t raft_id, const Ask& ask, const grpc::Status& status, Collection& all) {
  if (status.ok()) {
    merge_raft_status(raft_id, ask.response, all.out);
  } else if (auto* member = find(all.out, raft_id)) {
    const bool refused = status.error_code() != grpc::StatusCode::UNAVAILABLE &&
                         status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED;
    member->set_error(refused ? status.error_message() : "does not answer");
  }
}

}  // namespace

void merge_raft_status(uint64_t by, const shoal::control::GetRaftStatusResponse& answer,
                       shoal::control::GetRaftStatusResponse& into) {
  const bool leads = answer.leader_id() == by && answer.term() >= into.term();
  for (const shoal::control::RaftMemberStatus& theirs : answer.members()) {
    shoal::control::RaftMemberStatus* ours = find(into, theirs.raft_id());
    if (ours == nullptr) continue;  // a member that this manager does not know of yet
    const shoal::control::RaftMemberStatus before = *ours;
    const bool own = theirs.raft_id() == by && theirs.answers();
    if (own) *ours = theirs;
    const shoal::control::RaftMemberStatus& view = leads ? theirs : before;
    ours->set_leader_view(view.leader_view());
    ours->set_match_index(view.match_index());
    ours->set_progress(view.progress());
    ours->set_heard(view.heard());
    if (own && ours->hostname().empty()) ours->set_hostname(before.hostname());
  }
  if (!leads) return;
  into.set_leader_id(by);
  into.set_term(answer.term());
  *into.mutable_missing() = answer.missing();
}

void collect_raft_status(Strand& strand, Replica& replica, LeaderCalls& calls,
                         std::function<void(shoal::control::GetRaftStatusResponse)> done) {
  auto all = std::make_shared<Collection>();
  replica.describe_raft(all->out);
  // The asked one first, then by name.
  std::sort(all->out.mutable_members()->begin(), all->out.mutable_members()->end(),
            [](const auto& a, const auto& b) {
              return std::pair(!a.answers(), a.hostname()) < std::pair(!b.answers(), b.hostname());
            });
  all->done = std::move(done);
  const auto peers = replica.peers();
  all->open = peers.size();
  if (peers.empty()) return all->done(std::move(all->out));
  for (const Replica::Peer& peer : peers) {
    auto ask = std::make_shared<Ask>();
    ask->context.set_deadline(std::chrono::system_clock::now() + kRaftStatusTimeout);
    ask->request.set_only_this(true);
    ask->stub = shoal::control::Cluster::NewStub(calls.channel_to(peer.address.str()));
    ask->stub->async()->GetRaftStatus(
        &ask->context, &ask->request, &ask->response,
        [&strand, ask, all, id = peer.raft_id](const grpc::Status& status) {
          strand.post([ask, all, id, status] {
            answered(id, *ask, status, *all);
            if (--all->open == 0) all->done(std::move(all->out));
          });
        });
  }
}

}  // namespace shoal::manager
