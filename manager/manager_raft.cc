// What raft tells the manager and the manager asks of raft; the leader's housekeeping.
#include <algorithm>

#include "base/runtime/log.h"
#include "manager/control/commands.h"
#include "manager/manager_impl.h"
#include "manager/wire/store_wire.h"

namespace shoal::manager {

void ManagerImpl::propose(Command command, AnswerDone done) {
  if (!driver_ || stopped_) return done(unavailable("raft is not running on this manager"));
  if (const Status known = store().check_version(version_of(command.operation)); !known) {
    return done(known.error());
  }
  std::string bytes = wire::encode_command(command);
  // A command that cannot be read would stop every manager.
  if (const auto readable = wire::decode_command(bytes); !readable) return done(readable.error());
  if (!std::exchange(flush_due_, true)) {
    // Behind the calls that came in together with this one.
    strand_.post([this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      flush_due_ = false;
      driver_->flush();
    });
  }
  driver_->propose(std::move(bytes),
                   [this, done = std::move(done)](const Result<std::string>& result) {
                     // Called right after apply: the last answer is this command's.
                     done(result ? machine_->last_answer() : Result<Answer>(result.error()));
                   });
}

void ManagerImpl::read(StatusDone done) {
  if (!driver_ || stopped_) return done(unavailable("raft is not running on this manager"));
  driver_->read_index(std::move(done));
}

std::optional<HostPort> ManagerImpl::leader_address() const {
  const uint64_t leader = leader_raft_id();
  if (leader == 0 || leader == raft_id_) return std::nullopt;
  for (const raft::Member& member : driver_->members()) {
    if (member.id != leader) continue;
    const auto address = HostPort::parse(member.address);
    if (address) return *address;
  }
  return std::nullopt;
}

NodeState ManagerImpl::state_of(const Node& node) const {
  return dispatcher_->core().state_of(node);
}

bool ManagerImpl::reachable(uint64_t raft_id) const {
  if (!driver_) return false;
  if (raft_id == raft_id_) return true;
  const auto status = driver_->status();
  return std::any_of(status.members.begin(), status.members.end(), [&](const auto& member) {
    return member.member.id == raft_id && member.reachable;
  });
}

void ManagerImpl::follow_unlock_key() {
  const Cluster* cluster = store().cluster();
  if (cluster == nullptr || stopped_) return;
  const bool was_locked = !data_key_.unlock_key().empty();
  const Status followed = data_key_.follow(cluster->unlock_key, cluster->version);
  if (followed) {
    const bool locked = !data_key_.unlock_key().empty();
    if (locked != was_locked) {
      log::info("manager", "autolock is {}: a restart {}", locked ? "on" : "off",
                locked ? "needs the unlock key" : "needs no key");
    }
    data_key_error_.clear();
    return;
  }
  if (data_key_error_.empty()) {
    log::error("manager", "the unlock key is not in effect here: {}", followed.error().message);
  }
  data_key_error_ = "the cluster's unlock key is not in effect here: " + followed.error().message;
  key_timer_->wake_at(clock_.now() + kFollowKeyAgain, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) follow_unlock_key();
  });
}

void ManagerImpl::on_leader_change(raft::RaftId leader, raft::Term term, bool is_self) {
  if (stopped_) return;
  log::info("manager", "raft leader changed leader={} term={} self={}", leader, term, is_self);
  if (leader != 0) {
    no_leader_since_.reset();
  } else if (!no_leader_since_) {
    no_leader_since_ = clock_.now();
  }
  if (const std::string why = driver_->status().error; !why.empty()) {
    log::error("manager", "takes no part among the managers until this is over: {}", why);
  }
  // From inside the driver: what follows may call it again, so it comes after it.
  strand_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || stopped_) return;
    dispatcher_->leader_changed();
    calls_->leader_changed();
    watch_quorum();
    if (is_leader()) {
      if (init_) propose_init();
      if (refounding_) finish_refound();
      housekeeping();
    }
    if (leader_callback_) leader_callback_(status());
  });
}

void ManagerImpl::on_members(const std::vector<raft::Member>& members) {
  const bool member = std::any_of(members.begin(), members.end(), [this](const auto& candidate) {
    return candidate.id == raft_id_;
  });
  strand_.post([this, gone = was_member_ && !member, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || stopped_) return;
    if (gone && removed_callback_) removed_callback_();
    if (!gone && is_leader()) housekeeping();  // there may be a learner
  });
  was_member_ = member;
}

void ManagerImpl::housekeeping() {
  if (stopped_ || !is_leader()) return housekeeping_timer_->cancel();
  const bool learners = members_->tick();
  rotate_gossip_key_when_due();
  housekeeping_timer_->wake_at(clock_.now() + (learners ? kHousekeepingOfLearners : kHousekeeping),
                               [this, alive = std::weak_ptr(alive_)] {
                                 if (!alive.expired()) housekeeping();
                               });
}

// Counted from the cluster's birth, so that a change of leader does not start it anew.
int64_t ManagerImpl::key_slot() const {
  const Cluster* cluster = store().cluster();
  return cluster == nullptr ? 0 : (clock_.wall() - cluster->created_at) / kGossipKeyLife;
}

void ManagerImpl::note_gossip_key() {
  const Cluster* cluster = store().cluster();
  if (cluster == nullptr || cluster->gossip_keys.keys.empty()) return;
  const uint64_t newest = cluster->gossip_keys.keys.back().id;
  if (newest == newest_key_) return;
  newest_key_ = newest;
  seen_key_slot_ = key_slot();
}

void ManagerImpl::rotate_gossip_key_when_due() {
  const int64_t slot = key_slot();
  if (slot <= seen_key_slot_ || rotating_key_) return;
  auto command = control::rotate_gossip_key(store(), {clock_.wall(), rng_});
  if (!command) {
    log::error("manager", "gossip key not rotated: {}", command.error().message);
    seen_key_slot_ = slot;
    return;
  }
  rotating_key_ = true;
  propose(std::move(*command), [this, alive = std::weak_ptr(alive_)](const auto& answer) {
    if (alive.expired()) return;
    rotating_key_ = false;
    if (answer.ok()) return;
    log::warn("manager", "gossip key not rotated, trying again: {}", answer.error().message);
  });
}

}  // namespace shoal::manager
