// Proposals and reads, applying what is committed.
#include <algorithm>

#include "base/types/mark.h"
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
    SHOAL_MARK("proposal: refused, too many are in progress");
    return done(resource_exhausted("too many changes are in progress: try again"));
  }
  const auto position = core_->propose(std::move(command), clock_.now());
  if (!position) return done(position.error());
  proposals_[{position->index, position->term}] = {clock_.now() + config_.proposal_timeout,
                                                   std::move(done)};
  if (!config_.core.gather_proposals) pump();
}

void Driver::flush() {
  if (core_) pump();
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
  if (pending_reads() >= config_.core.max_pending_reads) {
    SHOAL_MARK("read: refused, too many are in progress");
    return done(resource_exhausted("too many reads are in progress: try again"));
  }
  waiting_reads_.push_back(std::move(done));
  ask_reads();
  pump();
}

size_t Driver::pending_reads() const {
  size_t count = waiting_reads_.size();
  for (const auto& [context, read] : reads_) count += read.dones.size();
  return count;
}

// When those asked for are answered, or have been waited for long enough.
Instant Driver::ask_reads_at() const {
  Instant at;
  for (const auto& [context, read] : reads_) {
    if (read.index == 0) at = std::max(at, read.asked + config_.read_patience);
  }
  return at;
}

// One confirmation by the leader serves all reads that came before it was asked for.
void Driver::ask_reads() {
  const Instant now = clock_.now();
  if (!core_ || waiting_reads_.empty()) return;
  const Instant at = ask_reads_at();
  if (now < at) {
    SHOAL_MARK("read: waits for one that is asked for");
    return;
  }
  if (at != Instant{}) SHOAL_MARK("read: asked for, an earlier one may be lost");
  std::vector<StatusCallback> dones = std::exchange(waiting_reads_, {});
  if (dones.size() > 1) SHOAL_MARK("read: several are asked for together");
  const uint64_t context = ++next_read_;
  const Status status = core_->read_index(context, now);
  if (status) {
    reads_[context] = {now, std::move(dones)};
    return;
  }
  for (const auto& done : dones) done(status);
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
    if (entry.type == EntryType::kConfChange) await_confirmation(entry);
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
      SHOAL_MARK("proposal: its place went to another");
      done(unavailable("leadership changed before this was carried out: try again"));
    }
  }
}

// Who proposed a change hears of it when it is confirmed; or, when that is not for us to see, that
// it is not known.
void Driver::await_confirmation(const Entry& entry) {
  const auto found = proposals_.find({entry.index, entry.term});
  if (found == proposals_.end() || !core_) return;
  const Proposal asked = std::move(found->second);
  proposals_.erase(found);
  const Error unsure = deadline_exceeded(
      "leadership changed before the change of members was confirmed: look at them, and try again");
  const Position by = core_->confirmation();
  if (by.index <= entry.index) {
    SHOAL_MARK("membership: a change is confirmed by another leader");
    return asked.done(unsure);
  }
  proposals_[{by.index, by.term}] = {
      asked.deadline, [done = asked.done, unsure](const Result<std::string>& result) {
        done(result ? result : Result<std::string>(unsure));
      }};
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
    SHOAL_MARK("proposal: overtaken by a snapshot");
    done(deadline_exceeded("leadership changed; the change may or may not have happened"));
  }
  return ok_status();
}

void Driver::finish_reads() {
  for (auto it = reads_.begin(); core_ && it != reads_.end();) {
    if (it->second.index == 0 || it->second.index > core_->log().applied() || installing()) {
      if (it->second.index > core_->log().applied()) SHOAL_MARK("read: waits for entries");
      if (it->second.index != 0 && installing()) SHOAL_MARK("read: waits for a snapshot");
      ++it;
      continue;
    }
    const auto key = it->first;
    const std::vector<StatusCallback> dones = std::move(it->second.dones);
    reads_.erase(it);
    for (const auto& done : dones) done(ok_status());
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
    SHOAL_MARK("proposal: not confirmed in time");
    done(deadline_exceeded("the change was not confirmed in time; it may or may not happen"));
    it = proposals_.upper_bound(key);
  }
  for (auto it = reads_.begin(); it != reads_.end();) {
    if (it->second.asked + config_.read_timeout > now) {
      ++it;
      continue;
    }
    const auto key = it->first;
    const std::vector<StatusCallback> dones = std::move(it->second.dones);
    reads_.erase(it);
    SHOAL_MARK("read: not confirmed in time");
    for (const auto& done : dones) {
      done(unavailable("the leader did not confirm the read in time: try again"));
    }
    it = reads_.upper_bound(key);
  }
  ask_reads();
}

void Driver::fail_all(const Error& proposals, const Error& reads) {
  for (auto& [key, proposal] : std::exchange(proposals_, {})) proposal.done(proposals);
  for (auto& [context, read] : std::exchange(reads_, {})) {
    for (const auto& done : read.dones) done(reads);
  }
  for (const auto& done : std::exchange(waiting_reads_, {})) done(reads);
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
  std::vector<StatusCallback> unanswered = std::exchange(waiting_reads_, {});
  std::erase_if(reads_, [&](auto& item) {
    if (item.second.index != 0) return false;
    std::move(item.second.dones.begin(), item.second.dones.end(), std::back_inserter(unanswered));
    return true;
  });
  if (!unanswered.empty()) SHOAL_MARK("read: dropped by a change of leaders");
  for (const auto& done : unanswered) done(unavailable("the raft leader changed: try again"));
  // Who is no longer a member is not told what became of its last proposals.
  if (left) {
    if (!proposals_.empty()) SHOAL_MARK("proposal: of a leader that was removed");
    for (auto& [key, proposal] : std::exchange(proposals_, {})) {
      proposal.done(deadline_exceeded(
          "this node was removed while it led; the change may or may not have happened"));
    }
  }
  forget_sendable();
  observer_.on_leader_change(soft.leader, soft.term, self);
}

}  // namespace shoal::raft
