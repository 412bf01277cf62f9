// Proposals and reads, applying what is committed.
#include "raft/driver/driver.h"

namespace shoal::raft {

bool Driver::refuse_when_down(const std::function<void(Error)>& done) const {
  if (core_) return false;
  done(unavailable("raft is not running here: " + (error_.empty() ? "not started" : error_)));
  return true;
}

void Driver::propose(std::string command, ProposeCallback done) {
  if (refuse_when_down([&](Error error) { done(std::move(error)); })) return;
  if (proposals_.size() >= config_.max_pending_proposals) {
    return done(resource_exhausted("too many changes are in progress: try again"));
  }
  const auto position = core_->propose(std::move(command), clock_.now());
  if (!position) return done(position.error());
  proposals_[{position->index, position->term}] = {clock_.now() + config_.proposal_timeout,
                                                   std::move(done)};
  pump();
}

void Driver::add_member(const Member& member, StatusCallback done) {
  const auto kind = member.learner ? ConfChangeKind::kAddLearner : ConfChangeKind::kAddVoter;
  change_members({.changes = {{kind, member}}, .single = true}, std::move(done));
}

void Driver::remove_member(RaftId id, StatusCallback done) {
  change_members({.changes = {{ConfChangeKind::kRemove, Member{.id = id}}}, .single = true},
                 std::move(done));
}

void Driver::change_members(const ConfChangeSet& set, StatusCallback done) {
  if (refuse_when_down([&](Error error) { done(std::move(error)); })) return;
  const auto position = core_->propose_conf_change(set, clock_.now());
  if (!position) return done(position.error());
  proposals_[{position->index, position->term}] = {
      clock_.now() + config_.proposal_timeout,
      [done = std::move(done)](const Result<std::string>& result) {
        done(result ? ok_status() : Status(result.error()));
      }};
  pump();
}

void Driver::read_index(StatusCallback done) {
  if (refuse_when_down([&](Error error) { done(std::move(error)); })) return;
  if (reads_.size() >= config_.core.max_pending_reads) {
    return done(resource_exhausted("too many reads are in progress: try again"));
  }
  const uint64_t context = ++next_read_;
  const Status status = core_->read_index(context, clock_.now());
  if (!status) return done(status);
  reads_[context] = {clock_.now() + config_.read_timeout, std::move(done)};
  pump();
}

void Driver::apply(const std::vector<Entry>& entries) {
  const auto run = run_;
  for (const Entry& entry : entries) {
    auto result = apply_one(entry);
    if (!result) {
      return fail("raft entry " + std::to_string(entry.index) + " cannot be applied here",
                  result.error(), kNever);
    }
    bytes_since_snapshot_ += entry_bytes(entry);
    settle(entry.index, entry.term, std::move(*result));
    if (run != run_) return;
  }
}

Result<std::string> Driver::apply_one(const Entry& entry) {
  if (entry.type == EntryType::kCommand) {
    return machine_.apply(entry.index, entry.term, entry.data);
  }
  if (entry.type == EntryType::kConfChange) {
    configuration_.apply(SHOAL_TRY(decode_conf_changes(entry.data)));
    machine_.on_applied_conf(entry.index, configuration_.list());
  }
  return std::string();
}

// The entry at `index` is decided: its proposer gets the result, and proposals that had hoped for
// the same or an earlier place learn that they lost it.
void Driver::settle(Index index, Term term, std::string result) {
  while (!proposals_.empty() && proposals_.begin()->first.first <= index) {
    const bool won = proposals_.begin()->first == std::pair(index, term);
    const ProposeCallback done = std::move(proposals_.begin()->second.done);
    proposals_.erase(proposals_.begin());
    if (won) {
      done(std::move(result));
    } else {
      done(unavailable("leadership changed before this was carried out: try again"));
    }
  }
}

Status Driver::install(const Snapshot& snapshot) {
  SHOAL_TRY(machine_.restore(snapshot.meta.index, snapshot.data));
  snapshot_index_ = snapshot.meta.index;
  bytes_since_snapshot_ = 0;
  sendable_.reset();
  configuration_ = Configuration(snapshot.meta.members);
  machine_.on_applied_conf(snapshot.meta.index, snapshot.meta.members);
  while (!proposals_.empty() && proposals_.begin()->first.first <= snapshot_index_) {
    const ProposeCallback done = std::move(proposals_.begin()->second.done);
    proposals_.erase(proposals_.begin());
    done(deadline_exceeded("leadership changed; the change may or may not have happened"));
  }
  return ok_status();
}

void Driver::finish_reads() {
  for (auto it = reads_.begin(); core_ && it != reads_.end();) {
    if (it->second.index == 0 || it->second.index > core_->log().applied() || installing()) {
      ++it;
      continue;
    }
    const auto key = it->first;
    const StatusCallback done = std::move(it->second.done);
    reads_.erase(it);
    done(ok_status());
    it = reads_.upper_bound(key);
  }
}

void Driver::expire() {
  const Instant now = clock_.now();
  for (auto it = proposals_.begin(); it != proposals_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    const auto key = it->first;
    const ProposeCallback done = std::move(it->second.done);
    proposals_.erase(it);
    done(deadline_exceeded("the change was not confirmed in time; it may or may not happen"));
    it = proposals_.upper_bound(key);
  }
  for (auto it = reads_.begin(); it != reads_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    const auto key = it->first;
    const StatusCallback done = std::move(it->second.done);
    reads_.erase(it);
    done(unavailable("the leader did not confirm the read in time: try again"));
    it = reads_.upper_bound(key);
  }
}

void Driver::fail_all(const Error& proposals, const Error& reads) {
  for (auto& [key, proposal] : std::exchange(proposals_, {})) proposal.done(proposals);
  for (auto& [context, read] : std::exchange(reads_, {})) read.done(reads);
}

void Driver::told(const SoftState& soft) {
  const bool self = soft.role == Role::kLeader;
  const Term term = soft.leader == 0 ? 0 : soft.term;
  if (soft.leader == told_leader_ && self == told_self_ && term == told_term_) return;
  const bool left = told_self_ && !self && !configuration_.contains(config_.core.id);
  told_leader_ = soft.leader;
  told_term_ = term;
  told_self_ = self;
  // What was asked of the former leader will not be answered.
  std::vector<StatusCallback> unanswered;
  std::erase_if(reads_, [&](auto& item) {
    if (item.second.index != 0) return false;
    unanswered.push_back(std::move(item.second.done));
    return true;
  });
  for (const auto& done : unanswered) done(unavailable("the raft leader changed: try again"));
  // Who is no longer a member is not told what became of its last proposals.
  if (left) {
    for (auto& [key, proposal] : std::exchange(proposals_, {})) {
      proposal.done(deadline_exceeded(
          "this node was removed while it led; the change may or may not have happened"));
    }
  }
  forget_sendable();
  observer_.on_leader_change(soft.leader, soft.term, self);
}

}  // namespace shoal::raft
