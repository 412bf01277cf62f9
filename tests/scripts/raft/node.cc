#include "tests/scripts/raft/node.h"

#include <iterator>

#include "base/types/check.h"
#include "tests/scripts/raft/describe.h"

namespace shoal::raft::script {

// Election timeouts are whole ticks, as in published scripts.
class Node::Draws final : public Rng {
 public:
  Draws(uint64_t seed, Duration tick) : random_(seed), tick_(static_cast<uint64_t>(tick.count())) {}
  uint64_t next() override { return random_.next() % 1000 * tick_; }

 private:
  SeededRng random_;
  uint64_t tick_;
};

std::string Parcel::describe() const {
  return kind == Kind::kMessage ? script::describe(message) : text;
}

Node::Node(NodeConfig config, const Snapshot& initial)
    : config_(std::move(config)),
      draws_(std::make_unique<Draws>(config_.core.id, config_.core.heartbeat_interval)) {
  disk_.snapshot = initial.meta;
  disk_.offset = disk_.applied = disk_.hard_state.commit = initial.meta.index;
  disk_.offset_term = initial.meta.term;
  configuration_ = Configuration(initial.meta.members);
  applied_ = std::make_shared<Snapshot>(initial);
  start(now_);
}

Node::~Node() = default;

void Node::start(Instant now) {
  disk_.applied = applied_->meta.index;
  now_ = now;
  auto made = Core::create(config_.core, disk_, *draws_, now_);
  SHOAL_CHECK(made.ok(), "a script's disk is always whole");
  core_ = std::move(*made);
  if (config_.core.lease_reads) {
    // Past the time in which nobody votes after a start.
    now_ = now_ + config_.core.election_timeout_min;
    core_->set_election_timeout(config_.core.election_timeout_max);
  }
  (void)core_->take_effects();
  told_ = {core_->leader(), core_->term(), core_->role()};
  told_hard_ = {core_->term(), core_->vote(), core_->log().committed()};
}

void Node::restart() {
  passed_on_.clear();
  append_work_.clear();
  apply_work_.clear();
  start(now_);
}

void Node::tick() {
  now_ = now_ + config_.core.heartbeat_interval;
  core_->tick(now_);
}

Status Node::deliver(Parcel parcel) {
  if (parcel.kind == Parcel::Kind::kMessage) core_->receive(std::move(parcel.message), now_);
  if (parcel.kind == Parcel::Kind::kAppended) core_->persisted(parcel.seq, now_);
  std::string unheard;
  if (parcel.kind == Parcel::Kind::kProposal) return propose(std::move(parcel), unheard);
  return ok_status();
}

Status Node::propose(Parcel proposal, std::string& note) {
  const Status dropped = unavailable("raft proposal dropped");
  const RaftId leader = core_->leader();
  if (leader == 0) return dropped;
  if (leader != id()) {
    Entry entry;
    if (proposal.change) {
      entry.type = EntryType::kConfChange;
      entry.data = encode(*proposal.change);
    } else {
      entry.data = proposal.data;
    }
    proposal.kind = Parcel::Kind::kProposal;
    proposal.message.to = leader;
    proposal.text = std::to_string(id()) + "->" + std::to_string(leader) +
                    " MsgProp Term:0 Log:0/0 Entries:[" + script::describe(entry) + "]";
    passed_on_.push_back(std::move(proposal));
    return ok_status();
  }
  auto done = proposal.change ? core_->propose_conf_change(*proposal.change, now_)
                              : core_->propose(std::move(proposal.data), now_);
  if (!done && proposal.change && done.error().code != ErrorClass::kUnavailable) {
    note = "ignoring conf change: " + done.error().message + "\n";
    done = core_->propose("", now_);
  }
  if (done) return ok_status();
  return done.error().code == ErrorClass::kUnavailable ? dropped : Status(done.error());
}

// A round, with the snapshots it asks for in it: they are of what was applied before.
Effects Node::take() {
  Effects effects = core_->take_effects();
  while (!effects.snapshot_requests.empty()) {
    for (const RaftId to : std::exchange(effects.snapshot_requests, {})) {
      core_->provide_snapshot(to, applied_, now_);
    }
    Effects more = core_->take_effects();
    SHOAL_CHECK(more.persist_seq == 0, "a snapshot to send changes nothing to save");
    std::move(more.early_messages.begin(), more.early_messages.end(),
              std::back_inserter(effects.early_messages));
    std::move(more.committed.begin(), more.committed.end(), std::back_inserter(effects.committed));
    effects.snapshot_requests = std::move(more.snapshot_requests);
  }
  return effects;
}

std::string Node::process_ready(std::vector<Parcel>& out) {
  Effects effects = take();
  if (effects.empty() && passed_on_.empty()) return "";
  const HardState hard{core_->term(), core_->vote(), core_->log().committed()};
  const bool hard_changed = hard != told_hard_;
  std::string text = describe(effects, hard, hard_changed);
  told_hard_ = hard;
  for (Parcel& parcel : std::exchange(passed_on_, {})) out.push_back(std::move(parcel));
  for (Message& message : effects.early_messages) out.push_back({.message = std::move(message)});
  const bool saves = effects.persist_seq != 0 || !effects.messages.empty();
  AppendWork work{hard,
                  hard_changed,
                  effects.snapshot,
                  std::move(effects.entries),
                  std::move(effects.messages),
                  effects.persist_seq};
  if (config_.async_storage) {
    if (saves || hard_changed) append_work_.push_back(std::move(work));
    if (!effects.committed.empty()) apply_work_.push_back(std::move(effects.committed));
    return text;
  }
  save(work);
  apply(effects.committed);
  for (Message& message : work.messages) out.push_back({.message = std::move(message)});
  if (work.seq != 0) core_->persisted(work.seq, now_);
  return text;
}

std::string Node::describe(const Effects& effects, const HardState& hard, bool hard_changed) {
  std::string out;
  if (effects.soft_state &&
      (effects.soft_state->leader != told_.leader || effects.soft_state->role != told_.role)) {
    told_ = *effects.soft_state;
    out += "Lead:" + std::to_string(told_.leader) + " State:" + std::string(role_name(told_.role)) +
           "\n";
  }
  const bool must_sync =
      !effects.entries.empty() || hard.term != told_hard_.term || hard.vote != told_hard_.vote;
  if (hard_changed) out += "HardState " + script::describe(hard) + "\n";
  for (const ReadState& read : effects.reads) {
    out += "ReadState " + std::to_string(read.context) + " at " + std::to_string(read.index) + "\n";
  }
  if (!effects.entries.empty()) out += "Entries:\n" + describe_entries(effects.entries);
  if (effects.snapshot) out += "Snapshot " + script::describe(effects.snapshot->meta) + "\n";
  if (!effects.committed.empty()) {
    out += "CommittedEntries:\n" + describe_entries(effects.committed);
  }
  if (!effects.early_messages.empty() || !effects.messages.empty() || !passed_on_.empty()) {
    out += "Messages:\n";
  }
  for (const Parcel& parcel : passed_on_) out += parcel.text + "\n";
  for (const Message& message : effects.early_messages) out += script::describe(message) + "\n";
  for (const Message& message : effects.messages) out += script::describe(message) + "\n";
  if (out.empty()) return "";
  return std::string("Ready MustSync=") + (must_sync ? "true" : "false") + ":\n" + out;
}

void Node::save(const AppendWork& work) {
  disk_.hard_state = work.hard;
  if (work.snapshot) {
    disk_.snapshot = work.snapshot->meta;
    disk_.offset = disk_.snapshot.index;
    disk_.offset_term = disk_.snapshot.term;
    disk_.entries.clear();
    configuration_ = Configuration(disk_.snapshot.members);
    applied_ = work.snapshot;
  }
  if (work.entries.empty()) return;
  SHOAL_CHECK(work.entries.front().index > disk_.offset &&
                  work.entries.front().index <= disk_.offset + disk_.entries.size() + 1,
              "a save leaves a gap in the log");
  disk_.entries.resize(work.entries.front().index - disk_.offset - 1);
  disk_.entries.insert(disk_.entries.end(), work.entries.begin(), work.entries.end());
}

std::string Node::process_append(std::vector<Parcel>& out) {
  if (append_work_.empty()) return "no append work to perform\n";
  AppendWork work = std::move(append_work_.front());
  append_work_.pop_front();
  save(work);
  const std::string self = std::to_string(id());
  const HardState hard = work.hard_changed ? work.hard : HardState{};
  std::string text = "Processing:\n" + self +
                     "->AppendThread MsgStorageAppend Term:" + std::to_string(hard.term) +
                     " Log:0/0";
  if (hard.commit != 0) text += " Commit:" + std::to_string(hard.commit);
  if (hard.vote != 0) text += " Vote:" + std::to_string(hard.vote);
  for (const Entry& entry : work.entries) text += "\n  " + script::describe(entry);
  text += "\nResponses:\n";
  for (Message& message : work.messages) {
    text += script::describe(message) + "\n";
    out.push_back({.message = std::move(message)});
  }
  if (work.seq == 0) return text;
  Parcel done{.kind = Parcel::Kind::kAppended, .seq = work.seq};
  done.message.to = id();
  const Index last = disk_.offset + disk_.entries.size();
  done.text = "AppendThread->" + self + " MsgStorageAppendResp up to " + std::to_string(last);
  text += done.text + "\n";
  out.push_back(std::move(done));
  return text;
}

std::string Node::process_apply(std::vector<Parcel>& out) {
  if (apply_work_.empty()) return "no apply work to perform\n";
  const std::vector<Entry> entries = std::move(apply_work_.front());
  apply_work_.pop_front();
  apply(entries);
  const std::string self = std::to_string(id());
  Parcel done{.kind = Parcel::Kind::kApplied};
  done.message.to = id();
  done.text =
      "ApplyThread->" + self + " MsgStorageApplyResp up to " + std::to_string(entries.back().index);
  const std::string text = "Processing:\n" + self + "->ApplyThread MsgStorageApply\n" +
                           indent(describe_entries(entries)) + "Responses:\n" + done.text + "\n";
  out.push_back(std::move(done));
  return text;
}

void Node::apply(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  auto next = std::make_shared<Snapshot>(*applied_);
  std::string content = next->data ? *read_all(*next->data) : std::string();
  for (const Entry& entry : entries) {
    // A snapshot that was saved meanwhile covers what waited here.
    if (entry.index <= applied_->meta.index) continue;
    if (entry.type == EntryType::kConfChange) {
      if (const auto set = decode_conf_changes(entry.data)) configuration_.apply(*set);
    } else {
      content += entry.data;
    }
    next->meta = {entry.index, entry.term, configuration_.list()};
  }
  next->data = snapshot_text(std::move(content));
  applied_ = std::move(next);
}

Status Node::compact(Index index) {
  if (index <= disk_.offset) {
    return invalid_argument("requested index is unavailable due to compaction");
  }
  const Index last = disk_.offset + disk_.entries.size();
  if (index > applied_->meta.index || index > core_->log().applied() || index > last) {
    return invalid_argument("index " + std::to_string(index) + " is not applied yet");
  }
  core_->compact(index);
  disk_.snapshot = applied_->meta;
  disk_.offset_term = disk_.entries[index - disk_.offset - 1].term;
  disk_.entries.erase(disk_.entries.begin(),
                      disk_.entries.begin() + static_cast<ptrdiff_t>(index - disk_.offset));
  disk_.offset = index;
  return ok_status();
}

}  // namespace shoal::raft::script
