// What a manager knows of itself and the others: for status, and for who waits for a quorum.
#include <algorithm>

#include "base/runtime/log.h"
#include "manager/manager_impl.h"

namespace shoal::manager {
namespace {

std::string role_text(raft::Role role, bool learner) {
  if (role == raft::Role::kLeader) return "leader";
  if (learner) return "learner";
  return role == raft::Role::kFollower ? "follower" : "candidate";
}

std::string_view progress_text(raft::ProgressState state) {
  switch (state) {
    case raft::ProgressState::kProbe:
      return "probe";
    case raft::ProgressState::kReplicate:
      return "replicate";
    case raft::ProgressState::kSnapshot:
      return "snapshot";
  }
  return "";
}

}  // namespace

ManagerStatus ManagerImpl::status() const {
  ManagerStatus out;
  out.raft_id = raft_id_;
  out.counters = ca_service_->counters();
  out.counters.merge(guard_.counters());
  if (!driver_) return out;
  const auto raft = driver_->status();
  out.is_leader = driver_->is_leader();
  out.leader_raft_id = raft.leader;
  out.error = !raft.error.empty() ? raft.error : machine_->disk_error();
  if (out.error.empty()) out.error = data_key_error_;
  out.term = raft.term;
  out.commit_index = raft.commit;
  out.applied_index = raft.applied;
  for (const auto& member : raft.members) {
    ManagerStatus::Member item{member.member.id, {}, {}};
    for (const Node* node : store().nodes()) {
      if (node->raft_id == item.raft_id) item.node = node->id;
    }
    if (const auto address = HostPort::parse(member.member.address)) item.address = *address;
    if (item.raft_id == raft.leader) {
      out.leader = item.node;
      out.leader_address = item.address;
    }
    out.members.push_back(std::move(item));
  }
  if (const auto lost = quorum_lost()) out.quorum_lost = lost->message;
  return out;
}

std::string ManagerImpl::member_name(const raft::Member& member) const {
  for (const Node* node : store().nodes()) {
    if (node->raft_id == member.id && !node->description.hostname.empty()) {
      return node->description.hostname + " at " + member.address;
    }
  }
  return member.address;
}

bool ManagerImpl::answers(const raft::MemberStatus& member, bool leading) const {
  if (member.member.id == raft_id_) return true;
  if (leading) return member.reachable;
  const auto heard = heard_.find(member.member.id);
  return heard != heard_.end() && clock_.now() - heard->second < kSilentMember;
}

QuorumView ManagerImpl::quorum() const {
  QuorumView out;
  if (!driver_) return out;
  for (const auto& member : driver_->status().members) {
    if (member.member.learner) continue;
    ++out.voters;
    if (!answers(member, driver_->is_leader())) out.missing.push_back(member_name(member.member));
  }
  return out;
}

std::optional<Error> ManagerImpl::quorum_lost() const {
  if (!driver_ || stopped_ || !no_leader_since_) return std::nullopt;
  if (clock_.now() - *no_leader_since_ < kNoLeaderPatience) return std::nullopt;
  const QuorumView now = quorum();
  if (now.voters == 0 || !now.lost()) return std::nullopt;
  return quorum_lost_error(now);
}

// While there is no leader: calls that wait for one are told when none can come.
void ManagerImpl::watch_quorum() {
  if (stopped_ || !no_leader_since_) return quorum_timer_->cancel();
  if (quorum_lost()) calls_->quorum_lost();
  quorum_timer_->wake_at(clock_.now() + kQuorumPoll, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) watch_quorum();
  });
}

std::vector<Replica::Peer> ManagerImpl::peers() const {
  std::vector<Peer> out;
  if (!driver_) return out;
  for (const raft::Member& member : driver_->members()) {
    const auto address = HostPort::parse(member.address);
    if (member.id != raft_id_ && address) out.push_back({member.id, *address});
  }
  return out;
}

void ManagerImpl::describe_raft(shoal::control::GetRaftStatusResponse& out) const {
  if (!driver_) return;
  const raft::RaftStatus status = driver_->status();
  const bool leading = driver_->is_leader();
  out.set_leader_id(status.leader);
  out.set_term(status.term);
  const QuorumView now = quorum();
  out.set_voters(static_cast<uint32_t>(now.voters));
  out.set_quorum(static_cast<uint32_t>(now.needed()));
  for (const std::string& name : now.missing) out.add_missing(name);
  if (const auto lost = quorum_lost()) out.set_lost(lost->message);
  for (const auto& member : status.members) {
    shoal::control::RaftMemberStatus& item = *out.add_members();
    item.set_raft_id(member.member.id);
    item.set_address(member.member.address);
    item.set_voter(!member.member.learner);
    for (const Node* node : store().nodes()) {
      if (node->raft_id != member.member.id) continue;
      item.set_node_id(node->id.str());
      item.set_hostname(node->description.hostname);
    }
    item.set_heard(answers(member, leading));
    if (member.progress) {
      item.set_leader_view(true);
      item.set_match_index(member.match);
      item.set_progress(std::string(progress_text(*member.progress)));
    }
    if (member.member.id != raft_id_) continue;
    item.set_answers(true);
    item.set_error(status.error);
    item.set_role(role_text(status.role, member.member.learner));
    item.set_term(status.term);
    item.set_leader_id(status.leader);
    item.set_commit_index(status.commit);
    item.set_applied_index(status.applied);
    item.set_first_index(status.first_index);
    item.set_last_index(status.last_index);
    item.set_log_bytes(status.log_bytes);
    item.set_snapshot_index(status.snapshot_index);
    const raft::SyncTimes times = log_->sync_times();
    item.set_fsyncs(times.count);
    item.set_fsync_p50_us(times.p50_us);
    item.set_fsync_p99_us(times.p99_us);
    item.set_fsync_last_us(times.last_us);
  }
}

// The cluster was founded anew without this manager, by one whose certificate says manager: what is
// here is the past, and must not be served as the present.
void ManagerImpl::expelled(uint64_t epoch, const std::string& by) {
  const Cluster* cluster = store().cluster();
  if (stopped_ || cluster == nullptr || epoch <= cluster->generation) return;
  log::warn("manager",
            "this manager was removed: the cluster was founded anew from another manager's state "
            "while this one was away ({}); it becomes a worker",
            by);
  strand_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || stopped_) return;
    driver_->stop();
    if (removed_callback_) removed_callback_();
  });
}

}  // namespace shoal::manager
