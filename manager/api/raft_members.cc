#include "manager/api/raft_members.h"

#include <algorithm>

namespace shoal::manager {
namespace {

// A new leader hears of a member that answers with its first heartbeats; and an election's time.
constexpr Duration kTimeToAnswer = std::chrono::seconds(2);
constexpr char kNotHeardYet[] =
    "the leader has just changed and does not know yet which managers answer: try again";

}  // namespace

bool RaftMembers::is_member(uint64_t raft_id) const {
  const auto members = driver_->members();
  return raft_id != 0 && std::any_of(members.begin(), members.end(),
                                     [&](const auto& member) { return member.id == raft_id; });
}

size_t RaftMembers::voters() const {
  const auto members = driver_->members();
  return static_cast<size_t>(std::count_if(members.begin(), members.end(),
                                           [](const auto& member) { return !member.learner; }));
}

void RaftMembers::join(const NodeId& id, const HostPort& address,
                       std::function<void(Result<Joined>)> done) {
  if (driver_ == nullptr) return done(unavailable("raft is not running here"));
  const Node* node = replica_.store().node(id);
  if (node == nullptr) return done(not_found("node " + id.str() + " is not in the cluster"));
  if (node->spec.role != Role::kManager || leaving_.contains(id)) {
    return done(
        conflict("node " + id.str() + " is a worker: promote it first with `shoal node promote`"));
  }
  if (!is_member(node->raft_id)) return add(id, address, std::move(done));
  // It lost its state or never got our answer: the old member must not count as a voter any more.
  driver_->remove_member(node->raft_id, [this, alive = std::weak_ptr(alive_), id, address,
                                         done = std::move(done)](const Status& status) {
    if (alive.expired()) return;
    if (!status) return done(status.error());
    add(id, address, done);
  });
}

void RaftMembers::add(const NodeId& id, const HostPort& address,
                      std::function<void(Result<Joined>)> done) {
  uint64_t raft_id = 0;
  while (raft_id == 0 || is_member(raft_id)) raft_id = replica_.rng().next();
  // First the node object, so that every member of the group can be traced to a node.
  const auto build = [this, id, address, raft_id]() -> Result<Command> {
    const Node* node = replica_.store().node(id);
    if (node == nullptr) return not_found("node " + id.str() + " is not in the cluster");
    UpdateNode update{.id = id, .raft_id = raft_id};
    update.addresses = node->addresses;
    update.addresses->control = address;
    return Command{replica_.wall(), replica_.rng().next(), update};
  };
  change(replica_, build,
         [this, alive = std::weak_ptr(alive_), address, raft_id,
          done = std::move(done)](const Result<Answer>& answer) {
           if (alive.expired()) return;
           if (!answer) return done(answer.error());
           driver_->add_member({raft_id, address.str(), true},
                               [this, alive, raft_id, done](const Status& status) {
                                 if (alive.expired()) return;
                                 if (!status) return done(status.error());
                                 done(Joined{raft_id, driver_->members()});
                               });
         });
}

bool RaftMembers::leads_since_lately() const {
  if (driver_->status().term != led_term_) return true;  // tick() has not seen it yet
  const WallTime now = replica_.wall();
  return now >= led_since_ && now - led_since_ < kTimeToAnswer;
}

Status RaftMembers::check_quorum_without(uint64_t raft_id) const {
  size_t left = 0;
  size_t answer = 0;
  std::string silent;
  std::string leaving;
  for (const auto& member : driver_->status().members) {
    if (member.member.learner) continue;
    std::string name = member.member.address;
    for (const Node* node : replica_.store().nodes()) {
      if (node->raft_id == member.member.id) name = replica_.store().node_name(node->id);
    }
    if (member.member.id == raft_id) {
      leaving = name;
      continue;
    }
    ++left;
    if (replica_.reachable(member.member.id)) {
      ++answer;
    } else {
      silent += (silent.empty() ? "" : ", ") + name;
    }
  }
  if (leaving.empty() || answer >= left / 2 + 1) return ok_status();
  if (leads_since_lately()) return unavailable(kNotHeardYet);
  return conflict("without node " + leaving + " the managers would lose their quorum: of the " +
                  std::to_string(left) + " that would be left " + std::to_string(answer) +
                  (answer == 1 ? " answers" : " answer") + " and " + std::to_string(left / 2 + 1) +
                  " would be needed. Bring " + silent +
                  " back first, or demote what is lost instead");
}

// To the voter that has the most of the log.
Status RaftMembers::hand_over() {
  const auto status = driver_->status();
  const raft::MemberStatus* best = nullptr;
  for (const auto& member : status.members) {
    if (member.member.learner || member.member.id == status.id || !member.reachable) continue;
    if (best == nullptr || member.match > best->match) best = &member;
  }
  if (best == nullptr && leads_since_lately()) return unavailable(kNotHeardYet);
  if (best == nullptr) {
    return conflict("no other manager answers that could take the lead: bring one back first");
  }
  return driver_->transfer(best->member.id);
}

void RaftMembers::leave(const NodeId& id, StatusDone done) {
  if (driver_ == nullptr) return done(unavailable("raft is not running here"));
  const Node* node = replica_.store().node(id);
  if (node == nullptr || !is_member(node->raft_id)) return done(ok_status());
  const auto members = driver_->members();
  const bool voter = std::any_of(members.begin(), members.end(), [&](const auto& member) {
    return member.id == node->raft_id && !member.learner;
  });
  if (voter && voters() == 1) {
    return done(conflict("node " + replica_.store().node_name(id) +
                         " is the last manager: promote another one first"));
  }
  if (voter) {
    if (const Status safe = check_quorum_without(node->raft_id); !safe) return done(safe);
  }
  if (node->raft_id == driver_->status().id) {
    if (const Status handed = hand_over(); !handed) return done(handed);
    return done(unavailable("leadership is being handed over: the next leader goes on"));
  }
  driver_->remove_member(node->raft_id, std::move(done));
}

void RaftMembers::demote(const NodeId& id, AnswerDone done) {
  const Node* node = replica_.store().node(id);
  if (node == nullptr) return done(not_found("node " + id.str() + " is not in the cluster"));
  if (replica_.store().manager_count() <= 1) {
    return done(conflict("node " + replica_.store().node_name(id) +
                         " is the last manager: promote another one first"));
  }
  ++leaving_[id];
  const auto settle = [this, alive = std::weak_ptr(alive_), id,
                       done = std::move(done)](const Result<Answer>& answer) {
    if (alive.expired()) return;
    if (--leaving_[id] == 0) leaving_.erase(id);
    done(answer);
  };
  leave(id, [this, alive = std::weak_ptr(alive_), id, settle](const Status& status) {
    if (alive.expired()) return;
    if (!status) return settle(status.error());
    const auto build = [this, id]() -> Result<Command> {
      const Node* now = replica_.store().node(id);
      if (now == nullptr) return not_found("node " + id.str() + " is not in the cluster");
      UpdateNode update{.id = id, .spec = now->spec, .raft_id = 0};
      update.spec->role = Role::kWorker;
      return Command{replica_.wall(), replica_.rng().next(), update};
    };
    change(replica_, build, settle);
  });
}

bool RaftMembers::tick() {
  if (driver_ == nullptr || !driver_->is_leader()) return false;
  const auto status = driver_->status();
  if (status.term != led_term_) {
    led_term_ = status.term;
    led_since_ = replica_.wall();
  }
  if (promoting_) return true;
  bool learners = false;
  for (const auto& member : status.members) {
    learners = learners || member.member.learner;
    if (!member.member.learner || !member.reachable) continue;
    raft::Member voter = member.member;
    voter.learner = false;
    promoting_ = true;
    // Refused while it is far behind; the next tick asks again.
    driver_->add_member(voter, [this, alive = std::weak_ptr(alive_)](const Status&) {
      if (!alive.expired()) promoting_ = false;
    });
    break;
  }
  return learners;
}

}  // namespace shoal::manager
