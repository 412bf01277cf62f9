#include "raft/driver/driver.h"

#include <algorithm>

#include "base/types/check.h"
#include "base/types/mark.h"

namespace shoal::raft {

Driver::Driver(DriverConfig config, LogStore& store, Transport& transport, StateMachine& machine,
               Clock& clock, Timer& timer, Rng& rng, Observer& observer)
    : config_(std::move(config)),
      store_(store),
      transport_(transport),
      machine_(machine),
      clock_(clock),
      timer_(timer),
      rng_(rng),
      observer_(observer),
      next_read_(rng.next()),
      run_(std::make_shared<int>()) {}

Driver::~Driver() { stop(); }

Status Driver::start() {
  SHOAL_CHECK(stopped_, "driver started twice");
  stopped_ = false;
  Status status = load_and_run();
  if (!status) stopped_ = true;
  return status;
}

Status Driver::load_and_run() {
  InitialState initial = SHOAL_TRY(load());
  core_ = SHOAL_TRY(Core::create(config_.core, std::move(initial), rng_, clock_.now()));
  configuration_ = core_->configuration();
  error_.clear();
  set_peers(configuration_.list());
  pump();
  // Nobody else to ask: no need to wait for a timeout.
  if (core_ && configuration_.voters().ids() == std::vector<RaftId>{config_.core.id}) {
    core_->campaign(clock_.now());
  }
  pump();
  return ok_status();
}

Result<InitialState> Driver::load() {
  LogStore::Loaded loaded = SHOAL_TRY(store_.load());
  snapshot_index_ = loaded.snapshot.index;
  if (machine_.applied_index() < snapshot_index_) {
    // A crash between the save of a received snapshot and its installation, or tables that lost
    // their unsynced tail.
    SHOAL_MARK("start: the tables are behind the snapshot");
    const auto data = SHOAL_TRY(store_.load_snapshot());
    SHOAL_TRY(machine_.restore(snapshot_index_, data));
    machine_.on_applied_conf(snapshot_index_, loaded.snapshot.members);
  }
  InitialState initial;
  initial.hard_state = loaded.hard_state;
  initial.snapshot = std::move(loaded.snapshot);
  initial.offset = loaded.offset;
  initial.offset_term = loaded.offset_term;
  initial.entries = std::move(loaded.entries);
  initial.applied = machine_.applied_index();
  return initial;
}

Status Driver::bootstrap(const Member& self) {
  SHOAL_CHECK(stopped_, "driver started twice");
  SHOAL_CHECK(self.id == config_.core.id, "bootstrap of somebody else");
  if (!SHOAL_TRY(store_.load()).empty()) {
    return conflict("this node has raft state already: it is in a cluster");
  }
  stopped_ = false;
  InitialState initial = bootstrap_state(self);
  LogStore::Batch batch;
  batch.hard_state = initial.hard_state;
  batch.entries = std::move(initial.entries);
  store_.save(std::move(batch), [this, run = std::weak_ptr(run_)](const Status& status) {
    if (run.expired()) return;
    const Status started = status ? load_and_run() : status;
    if (!started) storage_failed(started.error());
  });
  return ok_status();
}

void Driver::stop() {
  if (stopped_) return;
  stopped_ = true;
  retry_at_ = Instant::max();
  timer_.cancel();
  armed_ = Instant::max();
  forget_run();
  error_ = "stopped";
  fail_all(deadline_exceeded("this node is stopping; the change may or may not happen"),
           unavailable("this node is stopping"));
}

void Driver::receive(Message message) {
  if (!core_) return;
  core_->receive(std::move(message), clock_.now());
  pump();
}

void Driver::report_snapshot(RaftId to, bool delivered) {
  if (!core_) return;
  core_->report_snapshot(to, delivered, clock_.now());
  forget_sendable();
  pump();
}

Status Driver::transfer(RaftId to) {
  if (!core_) return unavailable("raft is not running here: " + error_);
  Status status = core_->transfer(to, clock_.now());
  pump();
  return status;
}

void Driver::campaign() {
  if (!core_) return;
  core_->campaign(clock_.now());
  pump();
}

// Takes rounds until nothing is left; a callback that calls the driver again leaves its effects
// to the loop that runs already.
void Driver::pump() {
  if (pumping_) return;
  pumping_ = true;
  while (core_) {
    Effects effects = core_->take_effects();
    if (effects.empty()) break;
    round(std::move(effects));
  }
  pumping_ = false;
  arm();
}

void Driver::round(Effects effects) {
  if (effects.members) {
    set_peers(*effects.members);
    if (!effects.members->empty()) observer_.on_members(*effects.members);
    if (!core_) return;  // the observer stopped us
  }
  for (Message& message : effects.early_messages) {
    const RaftId to = message.to;
    transport_.send(to, std::move(message));
  }
  persist(effects);
  const auto run = run_;
  apply(effects.committed);
  if (run != run_) return;  // the state machine's owner stopped us
  snapshot_wanted_.insert(effects.snapshot_requests.begin(), effects.snapshot_requests.end());
  serve_snapshots();
  for (const ReadState& read : effects.reads) {
    const auto found = reads_.find(read.context);
    if (found != reads_.end()) found->second.index = read.index;
  }
  ask_reads();
  finish_reads();
  if (effects.soft_state) told(*effects.soft_state);
  if (core_) maybe_snapshot();
}

void Driver::persist(Effects& effects) {
  if (effects.persist_seq == 0) {
    if (!saving_.empty()) {
      if (!effects.messages.empty()) SHOAL_MARK("save: messages wait for an earlier one");
      auto& waiting = saving_.back().messages;
      std::move(effects.messages.begin(), effects.messages.end(), std::back_inserter(waiting));
      return;
    }
    for (Message& message : effects.messages) {
      const RaftId to = message.to;
      transport_.send(to, std::move(message));
    }
    return;
  }
  saving_.push_back({effects.persist_seq, effects.snapshot, std::move(effects.messages)});
  LogStore::Batch batch;
  batch.hard_state = effects.hard_state;
  batch.entries = std::move(effects.entries);
  batch.snapshot = effects.snapshot;
  batch.snapshot_replaces_log = effects.snapshot != nullptr;
  store_.save(std::move(batch),
              [this, run = std::weak_ptr(run_), seq = effects.persist_seq](const Status& status) {
                if (!run.expired()) saved(seq, status);
              });
}

void Driver::saved(uint64_t seq, const Status& status) {
  if (!status) {
    SHOAL_MARK("storage: a save failed");
    return storage_failed(status.error());
  }
  SHOAL_CHECK(!saving_.empty() && saving_.front().seq == seq, "saves finished out of order");
  Saving done = std::move(saving_.front());
  saving_.pop_front();
  if (done.snapshot) {
    const Status installed = install(*done.snapshot);
    if (!installed) return storage_failed(installed.error());
  }
  for (Message& message : done.messages) {
    const RaftId to = message.to;
    transport_.send(to, std::move(message));
  }
  core_->persisted(seq, clock_.now());
  pump();
}

void Driver::set_peers(const std::vector<Member>& members) {
  transport_.set_members(members.empty() ? config_.initial_peers : members);
}

void Driver::forget_run() {
  core_.reset();
  saving_.clear();
  snapshotting_ = false;
  snapshot_tried_ = 0;
  bytes_since_snapshot_ = 0;
  sendable_.reset();
  snapshot_wanted_.clear();
  run_ = std::make_shared<int>();
}

void Driver::storage_failed(const Error& error) {
  fail("the raft storage of this node failed", error, config_.storage_retry);
}

void Driver::fail(const std::string& what, const Error& error, Duration retry_after) {
  forget_run();
  error_ = what + ": " + error.message;
  retry_at_ = retry_after == kNever ? Instant::max() : clock_.now() + retry_after;
  const std::string why = what + " (" + error.message + ")";
  fail_all(deadline_exceeded(why + "; the change may or may not happen"), unavailable(why));
  if (told_leader_ != 0) {
    told_leader_ = 0;
    told_term_ = 0;
    told_self_ = false;
    observer_.on_leader_change(0, 0, false);
  }
  arm();
}

void Driver::wake() {
  const Instant now = clock_.now();
  armed_ = Instant::max();
  if (stopped_) return;
  if (now >= retry_at_) {
    retry_at_ = Instant::max();
    const Status started = load_and_run();
    if (!started) {
      SHOAL_MARK("storage: still failing");
      return storage_failed(started.error());
    }
    SHOAL_MARK("storage: works again");
  }
  expire();
  if (core_ && now >= core_->next_deadline()) core_->tick(now);
  pump();
}

void Driver::arm() {
  if (stopped_) return;
  Instant next = retry_at_;
  if (core_) next = std::min(next, core_->next_deadline());
  // Deadlines of one kind are alike, so the oldest is near enough to the first.
  for (const auto& [key, proposal] : proposals_) {
    next = std::min(next, proposal.deadline);
    break;
  }
  if (!reads_.empty()) next = std::min(next, reads_.begin()->second.asked + config_.read_timeout);
  if (!waiting_reads_.empty()) next = std::min(next, ask_reads_at());
  // Most deadlines only move away; a wake-up that finds nothing to do costs less than a new one.
  if (armed_ <= next) return;
  armed_ = next;
  timer_.wake_at(next, [this] { wake(); });
}

RaftStatus Driver::status() const {
  RaftStatus out;
  out.id = config_.core.id;
  out.error = error_;
  out.snapshot_index = snapshot_index_;
  out.pending_proposals = proposals_.size();
  if (core_) {
    const Log& log = core_->log();
    out.leader = core_->leader();
    out.term = core_->term();
    out.role = core_->role();
    out.commit = log.committed();
    out.applied = log.applied();
    out.first_index = log.first_index();
    out.last_index = log.last_index();
    out.log_bytes = log.bytes();
    out.counters = core_->counters();
  }
  for (const Member& member : configuration_.list()) {
    MemberStatus entry;
    entry.member = member;
    entry.leader = member.id == out.leader;
    if (core_ && core_->progress().contains(member.id)) {
      entry.reachable = core_->recently_heard(member.id);
      entry.match = core_->progress().at(member.id).match;
      entry.progress = core_->progress().at(member.id).state;
    }
    out.members.push_back(std::move(entry));
  }
  return out;
}

}  // namespace shoal::raft
