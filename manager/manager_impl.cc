#include "manager/manager_impl.h"

#include <algorithm>

#include "base/runtime/log.h"
#include "manager/control/commands.h"
#include "manager/wire/store_wire.h"

namespace shoal::manager {

ManagerImpl::ManagerImpl(ManagerConfig config, Strand& strand, Clock& clock, Rng& rng,
                         DataKey data_key, std::unique_ptr<raft::RocksLogStore> log,
                         std::unique_ptr<StateMachine> machine)
    : config_(std::move(config)),
      strand_(strand),
      clock_(clock),
      rng_(rng),
      data_key_(std::move(data_key)),
      log_(std::move(log)),
      machine_(std::move(machine)),
      raft_timer_(strand.make_timer()),
      housekeeping_timer_(strand.make_timer()),
      join_timer_(strand.make_timer()),
      quorum_timer_(strand.make_timer()),
      key_timer_(strand.make_timer()),
      calls_(std::make_unique<LeaderCalls>(strand, *this, config_.identity)),
      members_(std::make_unique<RaftMembers>(*this)),
      dispatcher_(std::make_unique<DispatcherServer>(strand, clock, *this)),
      cluster_api_(std::make_unique<ClusterApi>(strand, *this, *calls_, *members_)),
      cluster_service_(std::make_unique<ClusterService>(*cluster_api_, Door::kClusterPort)),
      ca_service_(std::make_unique<CaService>(strand, clock, *this, *calls_)),
      membership_service_(std::make_unique<MembershipService>(strand, *this, *members_)),
      joiner_(std::make_unique<Joiner>(strand, config_.identity, config_.control_address)),
      tls_(config_.identity, clock) {
  guard_.rebuild(machine_->store());
  note_gossip_key();
  machine_->listen(
      {.applied =
           [this](const std::vector<Change>& changes) {
             guard_.applied(changes, machine_->store());
             note_gossip_key();
             for (const Change& change : changes) {
               if (std::holds_alternative<Cluster>(change.object)) follow_unlock_key();
             }
             dispatcher_->applied(changes);
           },
       .replaced =
           [this] {
             guard_.rebuild(machine_->store());
             note_gossip_key();
             follow_unlock_key();
             dispatcher_->store_replaced();
           },
       .failed = [](const Error& error) { log::error("manager", "{}", error.message); }});
}

ManagerImpl::~ManagerImpl() {
  const auto teardown = [this] {
    stop();
    alive_.reset();
    // What uses goes before what is used.
    joiner_.reset();
    membership_service_.reset();
    ca_service_.reset();
    cluster_service_.reset();
    cluster_api_.reset();
    dispatcher_.reset();
    members_.reset();
    calls_.reset();
    driver_.reset();
    raft_timer_.reset();
    housekeeping_timer_.reset();
    join_timer_.reset();
    quorum_timer_.reset();
    key_timer_.reset();
  };
  if (strand_.on_strand()) {
    teardown();
  } else {
    strand_.call(teardown);
  }
}

std::vector<grpc::Service*> ManagerImpl::cluster_port_services() {
  return {&gate_, dispatcher_.get(), ca_service_.get(), membership_service_.get(),
          cluster_service_.get()};
}

void ManagerImpl::take_raft_link(UniqueFd socket) {
  // NetTransport::accept() would post, too; but whether there is a transport is the strand's.
  strand_.post(
      [this, alive = std::weak_ptr(alive_), taken = std::make_shared<UniqueFd>(std::move(socket))] {
        if (!alive.expired() && transport_) transport_->accept(std::move(*taken));
      });
}

// Starting.

void ManagerImpl::make_driver(uint64_t raft_id, std::vector<raft::Member> peers) {
  raft_id_ = raft_id;
  transport_ = std::make_unique<raft::NetTransport>(
      raft::NetTransport::Config{raft_id, config_.cluster.str(), config_.control_address.str(),
                                 log_->inbox(), [this] { return guard_.generation(); }},
      strand_, clock_, rng_,
      raft::NetTransport::Tls{[this] { return tls_.client(); }, [this] { return tls_.server(); }},
      [identity = config_.identity](const std::string& address) {
        return manager_channel(identity, address);
      },
      raft::NetTransport::Admission{
          [this](const auto& context) { return guard_.identify(caller_of(context)); },
          [this](SSL& tls) { return guard_.identify(caller_of(tls)); },
          [this](const NodeId& node, raft::RaftId from) { return guard_.admit(node, from); }});
  raft::DriverConfig config;
  config.core.id = raft_id;
  config.core.heartbeat_interval = config_.raft_heartbeat;
  config.core.election_timeout_min = config_.raft_election;
  config.core.election_timeout_max = config_.raft_election * 2;
  config.core.max_inflight = kMaxInflight;
  config.core.max_append_bytes = kMaxAppendBytes;
  config.core.commit_notice = kCommitNotice;
  config.core.gather_proposals = true;
  config.initial_peers = std::move(peers);
  driver_ = std::make_unique<raft::Driver>(std::move(config), *log_, *transport_, *machine_, clock_,
                                           *raft_timer_, rng_, *this);
  transport_->set_handlers(
      {[this](raft::Message message) {
         heard_[message.from] = clock_.now();
         driver_->receive(std::move(message));
       },
       [this](raft::RaftId to, bool delivered) { driver_->report_snapshot(to, delivered); },
       [this](raft::RaftId, uint64_t epoch, const std::string& message) {
         expelled(epoch, message);
       }});
  no_leader_since_ = clock_.now();
  watch_quorum();
  members_->attach(driver_.get());
  gate_.open(*transport_);
  // Not at once: what was loaded may be older than what the log brings, and each change is an
  // fsync.
  key_timer_->wake_at(clock_.now() + kFollowKeyAgain, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) follow_unlock_key();
  });
}

void ManagerImpl::bootstrap(InitCluster init, Done done) {
  if (stopped_) return done(unavailable("this manager is stopping"));
  if (has_state(config_.state_dir) || driver_) {
    return done(conflict("this node has a manager's state already: it is in a cluster"));
  }
  uint64_t raft_id = 0;
  while (raft_id == 0) raft_id = rng_.next();
  init.node.raft_id = raft_id;
  if (!init.node.addresses.control) init.node.addresses.control = config_.control_address;
  auto command = control::init_cluster(store(), std::move(init.cluster), std::move(init.node),
                                       {clock_.wall(), rng_});
  if (!command) return done(command.error());
  init_ = std::move(*command);
  pending_ = std::move(done);
  make_driver(raft_id, {});
  const Status status = driver_->bootstrap({raft_id, config_.control_address.str(), false});
  if (!status) finish_pending(status);
}

void ManagerImpl::propose_init() {
  Command command = *std::exchange(init_, std::nullopt);
  propose(std::move(command), [this](const Result<Answer>& answer) {
    if (!answer) return finish_pending(answer.error());
    finish_pending(write_raft_member(
        config_.state_dir, {raft_id_, {{raft_id_, config_.control_address.str(), false}}}));
  });
}

Status ManagerImpl::start_member(const RaftMemberFile& file) {
  make_driver(file.raft_id, file.members);
  return driver_->start();
}

Status ManagerImpl::resume() {
  if (stopped_) return unavailable("this manager is stopping");
  if (driver_) return conflict("this manager runs already");
  return start_member(SHOAL_TRY(read_raft_member(config_.state_dir)));
}

void ManagerImpl::join(std::vector<HostPort> managers, Duration timeout, Done done) {
  if (stopped_) return done(unavailable("this manager is stopping"));
  if (pending_) return done(conflict("this manager is joining already"));
  join_deadline_ = clock_.now() + timeout;
  pending_ = std::move(done);
  if (driver_) return wait_until_caught_up();
  joiner_->start(managers, clock_.now(), join_deadline_,
                 [this](const Result<RaftMemberFile>& file) {
                   if (!file) return finish_pending(file.error());
                   Status status = write_raft_member(config_.state_dir, *file);
                   if (status) status = start_member(*file);
                   if (!status) return finish_pending(status);
                   wait_until_caught_up();
                 });
}

bool ManagerImpl::caught_up() const {
  const Node* node = store().node(config_.self);
  if (node == nullptr || node->raft_id != raft_id_) return false;
  const auto members = driver_->members();
  return std::any_of(members.begin(), members.end(), [this](const raft::Member& member) {
    return member.id == raft_id_ && !member.learner;
  });
}

void ManagerImpl::wait_until_caught_up() {
  if (!pending_) return;
  if (caught_up()) return finish_pending(ok_status());
  if (clock_.now() >= join_deadline_) {
    return finish_pending(deadline_exceeded(
        "this manager was let in and has not caught up with the others yet: check that they reach "
        "its cluster port at " +
        config_.control_address.str()));
  }
  join_timer_->wake_at(clock_.now() + kJoinPoll, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) wait_until_caught_up();
  });
}

void ManagerImpl::finish_pending(const Status& status) {
  init_.reset();
  const Done done = std::exchange(pending_, nullptr);
  if (done) done(status);
}

// Stopping.

void ManagerImpl::leave_and_stop(Duration timeout, Done done) {
  if (stopped_) return done(ok_status());
  const auto request = std::make_shared<ca::LeaveRaftRequest>();
  const auto response = std::make_shared<ca::LeaveRaftResponse>();
  LeaderCalls::Call call;
  call.deadline = std::chrono::system_clock::now() +
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout);
  call.remote = remote_try<ca::Membership>(
      [](auto* async, auto... arguments) { async->LeaveRaft(std::move(arguments)...); },
      static_cast<const ca::LeaveRaftRequest*>(request.get()), response.get());
  call.local = [this](const LeaderCalls::Call&, const StatusDone& local) {
    members_->demote(config_.self, [local](const Result<Answer>& answer) {
      local(answer ? ok_status() : Status(answer.error()));
    });
  };
  call.done = [this, request, response, done = std::move(done)](const Status& status) {
    if (status) stop();
    done(status);
  };
  calls_->start(std::move(call));
}

void ManagerImpl::stop() {
  if (stopped_) return;
  stopped_ = true;
  housekeeping_timer_->cancel();
  join_timer_->cancel();
  quorum_timer_->cancel();
  key_timer_->cancel();
  dispatcher_->stop();
  joiner_->cancel();
  // First what answers calls under way, then the calls.
  if (driver_) driver_->stop();
  calls_->stop();
  if (transport_) transport_->stop();
  finish_pending(unavailable("this manager is stopping"));
}

}  // namespace shoal::manager
