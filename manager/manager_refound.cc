// Going on alone: a raft group founded anew from this manager's state or from a backup; and making
// backups.
#include <algorithm>
#include <filesystem>

#include "base/runtime/log.h"
#include "manager/backup/backup.h"
#include "manager/manager_impl.h"
#include "manager/store/refound.h"
#include "manager/wire/store_wire.h"
#include "raft/driver/refound.h"

namespace shoal::manager {

namespace {

// Longer than it takes to notice that the quorum is lost (kNoLeaderPatience), and a read.
constexpr std::chrono::seconds kQuorumTrial{8};

}  // namespace

Result<ManagerImpl::NewGroup> ManagerImpl::plan_refound(std::optional<Restoration> from) {
  raft::LogEnd end;
  Refounding how;
  how.control = config_.control_address;
  how.now = clock_.wall();
  std::vector<Object> objects;
  NewGroup out;
  if (from) {
    end = {from->index, from->term};
    how.self = std::move(from->self);
    objects = std::move(from->objects);
    while (out.member.raft_id == 0) out.member.raft_id = rng_.next();
  } else {
    // The raft id stays: it is in two files, and only one can change in one step. Nobody who knew
    // it is listened to any more.
    out.member.raft_id = SHOAL_TRY(read_raft_member(config_.state_dir)).raft_id;
    end = SHOAL_TRY(raft::replay_to_end(*log_, *machine_));
    const Node* self = store().node(config_.self);
    if (self == nullptr) {
      return data_loss(
          "this manager's copy of the state does not know this manager: nothing can be "
          "founded on it; use another manager, or a backup");
    }
    how.self = *self;
    objects = store().objects();
  }
  how.raft_id = out.member.raft_id;
  how.index = end.index + 1;
  objects = SHOAL_TRY(refounded(std::move(objects), how));
  // What could not be loaded must not become the cluster.
  Store trial;
  for (const Object& object : objects) trial.load(object);
  SHOAL_TRY(trial.finish_load(how.index));
  const raft::Member self{how.raft_id, config_.control_address.str(), false};
  out.member.members = {self};
  out.batch = raft::new_group(self, end, wire::encode_snapshot(objects));
  if (out.batch.snapshot->data->size() > raft::kMaxSnapshotBytes) {
    return resource_exhausted("the cluster's state is larger than a snapshot may be");
  }
  return out;
}

void ManagerImpl::require_no_quorum(Done done) {
  if (!driver_ || stopped_) return done(ok_status());
  LeaderCalls::Call call;
  call.deadline = std::chrono::system_clock::now() + kQuorumTrial;
  call.anywhere = true;
  call.local = [this](const LeaderCalls::Call&, const StatusDone& local) { read(local); };
  call.done = [this, done = std::move(done)](const Status& decided) {
    const size_t voters = quorum().voters;
    if (!decided || voters < 2) return done(ok_status());
    done(conflict(
        "the managers have their quorum (" + std::to_string(voters) +
        " voters): nothing is lost, and --force-new-cluster would split the cluster. To take out a "
        "manager use `shoal node demote NODE`, or `shoal node rm --force NODE` when it is gone"));
  };
  calls_->start(std::move(call));
}

void ManagerImpl::refound(std::optional<Restoration> from, Done done) {
  if (stopped_) return done(unavailable("this manager is stopping"));
  if (driver_ || pending_) return done(conflict("this manager runs already"));
  if (from && has_state(config_.state_dir)) {
    return done(conflict("this node has a manager's state already: it is in a cluster"));
  }
  Result<NewGroup> planned = plan_refound(std::move(from));
  if (!planned) return done(planned.error());
  pending_ = std::move(done);
  refounding_ = true;
  log_->save(std::move(planned->batch), [this, alive = std::weak_ptr(alive_),
                                         member = std::move(planned->member)](const Status& saved) {
    if (alive.expired() || stopped_) return;
    if (!saved) return finish_pending(saved);
    start_refounded(member);
  });
}

// The driver finds a snapshot that the state machine does not have, and installs it.
void ManagerImpl::start_refounded(const RaftMemberFile& member) {
  refounded_ = member;
  const Status started = start_member(member);
  if (!started) finish_pending(started);
}

void ManagerImpl::finish_refound() {
  refounding_ = false;
  read([this, alive = std::weak_ptr(alive_)](const Status& status) {
    if (alive.expired() || !refounded_) return;
    const RaftMemberFile member = *std::exchange(refounded_, std::nullopt);
    finish_pending(status ? write_raft_member(config_.state_dir, member) : status);
  });
}

Result<Manager::Copy> ManagerImpl::make_backup(std::string notice) const {
  const Cluster* cluster = store().cluster();
  if (cluster == nullptr) return unavailable("this manager does not know the cluster's state yet");
  BackupHeader header;
  header.cluster = cluster->id;
  header.taken_at = clock_.wall();
  header.taken_on = store().node_name(config_.self);
  const raft::RaftStatus status = driver_->status();
  header.index = std::max<uint64_t>(status.applied, machine_->applied_index());
  header.term = status.term;
  header.networks = static_cast<uint32_t>(store().networks().size());
  header.endpoints = static_cast<uint32_t>(store().endpoint_count());
  header.nodes = static_cast<uint32_t>(store().nodes().size());
  const std::string state = wire::encode_snapshot(store().objects());
  if (state.size() > raft::kMaxSnapshotBytes) {
    return resource_exhausted("the cluster's state is larger than a backup may be");
  }
  std::optional<BackupLock> lock;
  if (!cluster->unlock_key.empty()) {
    lock.emplace();
    lock->unlock_key = cluster->unlock_key;
    rng_.fill(lock->run);
  }
  return Copy{encode_backup(header, state, lock), lock.has_value(), std::move(notice)};
}

void ManagerImpl::backup(std::function<void(Result<Copy>)> done) {
  if (!driver_ || stopped_) return done(unavailable("raft is not running on this manager"));
  // As any call of the leader it waits for elections; what is read is this manager's own store.
  LeaderCalls::Call call;
  call.deadline = std::chrono::system_clock::now() + kDefaultCallDeadline;
  const auto notice = std::make_shared<std::string>();
  call.anywhere = true;
  call.local = [this](const LeaderCalls::Call&, const StatusDone& local) { read(local); };
  call.without_quorum = [notice](const Error& lost) {
    *notice = "this is the copy of one manager, and may lack the last changes: " + lost.message;
    return ok_status();
  };
  call.done = [this, notice, done = std::move(done)](const Status& status) {
    if (!status) return done(status.error());
    done(make_backup(std::move(*notice)));
  };
  calls_->start(std::move(call));
}

}  // namespace shoal::manager
