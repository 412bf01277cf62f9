#include "worker/session/client.h"

#include <set>

#include "base/runtime/log.h"
#include "manager/wire/common_wire.h"
#include "worker/session/stream.h"

namespace shoal::worker {
namespace {

constexpr char kLog[] = "session";

bool worth_repeating(ErrorClass code) {
  return code == ErrorClass::kUnavailable || code == ErrorClass::kDeadlineExceeded;
}

// This node is not theirs (any more): trying again does not change that.
bool is_refusal(ErrorClass code) {
  return code == ErrorClass::kUnauthenticated || code == ErrorClass::kPermissionDenied ||
         code == ErrorClass::kNotFound;
}

std::chrono::system_clock::time_point in(Duration duration) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(duration);
}

}  // namespace

class SessionClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(SessionClientConfig config, Strand& strand, Clock& clock, Rng& rng,
       SessionObserver& observer)
      : config_(std::move(config)),
        strand_(strand),
        clock_(clock),
        observer_(observer),
        session_(config_.managers, rng),
        timer_(strand.make_timer()) {}

  void start() {
    session_.start(clock_.now());
    turn_soon();
  }
  void stop();
  void set_addresses(manager::NodeAddresses addresses);
  void hurry() {
    if (stopped_) return;
    session_.hurry(clock_.now());
    turn_soon();
  }
  void doubt(const HostPort& manager) {
    if (stopped_) return;
    session_.doubt(manager, clock_.now());
    turn_soon();
  }
  void set_host_routes(std::vector<Prefix> routes);
  template <typename Request, typename Response>
  void call(Request request,
            void (dispatch::Dispatcher::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                                              Response*,
                                                              std::function<void(grpc::Status)>),
            std::function<void(Result<Response>)> done, Instant deadline = Instant::max());

  Session& session() { return session_; }
  bool stopped() const { return stopped_; }

 private:
  struct Waiting {
    std::function<void(Error)> fail;
  };

  void turn();
  void turn_soon();
  void run(Session::Effect& effect);
  void notice_quorum(const Session::Input& input);
  std::shared_ptr<grpc::Channel> channel_to(const HostPort& manager);

  template <typename Request, typename Response>
  struct Call;
  template <typename C>
  void attempt(const std::shared_ptr<C>& call);
  template <typename C>
  void finished(const std::shared_ptr<C>& call, const grpc::Status& status);
  template <typename C>
  void again(const std::shared_ptr<C>& call, const Error& error);

  SessionClientConfig config_;
  Strand& strand_;
  Clock& clock_;
  SessionObserver& observer_;
  Session session_;
  std::unique_ptr<Timer> timer_;
  std::map<HostPort, std::shared_ptr<grpc::Channel>> channels_;
  std::shared_ptr<Stream> stream_;
  uint64_t stream_number_ = 0;
  Instant opened_;
  std::optional<Error> quorum_lost_;  // what a manager said last, until another one serves
  Instant quorum_lost_at_;
  std::optional<Error> refusal_;  // what the managers answered when they refused this node
  bool turning_ = false;
  bool stopped_ = false;
  std::set<std::shared_ptr<Waiting>> waiting_;
};

// A unary call under way: its request, what it got, and how often it may go on.
template <typename Request, typename Response>
struct SessionClient::Impl::Call {
  Request request;
  void (dispatch::Dispatcher::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                    std::function<void(grpc::Status)>);
  std::function<void(Result<Response>)> done;
  Instant deadline;
  std::unique_ptr<dispatch::Dispatcher::Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
  Response response;
  std::unique_ptr<Timer> timer;
  std::shared_ptr<Waiting> waiting;
};

std::shared_ptr<grpc::Channel> SessionClient::Impl::channel_to(const HostPort& manager) {
  auto& channel = channels_[manager];
  if (!channel) channel = manager::manager_channel(config_.identity, manager.str());
  const auto out = channel;
  // Forgets one that is not in use when managers have moved about a lot.
  if (channels_.size() > kMaxChannels) {
    const auto victim = std::find_if(channels_.begin(), channels_.end(),
                                     [&](const auto& item) { return item.first != manager; });
    channels_.erase(victim);
  }
  return out;
}

void SessionClient::Impl::turn_soon() {
  if (turning_) return;
  turning_ = true;
  strand_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->turn();
  });
}

void SessionClient::Impl::turn() {
  turning_ = false;
  if (stopped_) return;
  session_.tick(clock_.now());
  for (Session::Effect& effect : session_.take_effects()) run(effect);
  if (stopped_) return;  // an observer may have ended us
  timer_->wake_at(session_.next_deadline(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->turn_soon();
  });
}

void SessionClient::Impl::notice_quorum(const Session::Input& input) {
  if (std::holds_alternative<Registered>(input)) return quorum_lost_.reset();
  const auto* closed = std::get_if<Session::Closed>(&input);
  if (closed == nullptr || !closed->quorum_lost) return;
  quorum_lost_ = closed->error;
  quorum_lost_at_ = clock_.now();
}

void SessionClient::Impl::run(Session::Effect& effect) {
  if (stopped_) return;
  if (auto* open = std::get_if<Session::OpenStream>(&effect)) {
    if (stream_) stream_->close();
    dispatch::Register registration;
    *registration.mutable_description() = manager::wire::to_wire(config_.description);
    *registration.mutable_addresses() = manager::wire::to_wire(config_.addresses);
    stream_number_ = open->stream;
    opened_ = clock_.now();
    stream_ = Stream::open(channel_to(open->manager), strand_, std::move(registration),
                           [weak = weak_from_this(), number = open->stream](Session::Input input) {
                             const auto self = weak.lock();
                             if (!self || self->stopped_) return;
                             self->notice_quorum(input);
                             self->session_.receive(number, std::move(input), self->clock_.now());
                             self->turn_soon();
                           });
  } else if (auto* close = std::get_if<Session::CloseStream>(&effect)) {
    if (stream_ && stream_number_ == close->stream) {
      stream_->close();
      stream_.reset();
    }
  } else if (auto* heartbeat = std::get_if<Session::SendHeartbeat>(&effect)) {
    if (stream_ && stream_number_ == heartbeat->stream) {
      stream_->send_heartbeat(heartbeat->quiet);
    }
  } else if (auto* cluster = std::get_if<Session::DeliverCluster>(&effect)) {
    observer_.on_cluster(std::move(cluster->cluster));
  } else if (auto* assignments = std::get_if<Session::DeliverAssignments>(&effect)) {
    observer_.on_assignments(assignments->assignments, opened_);
  } else if (auto* state = std::get_if<Session::StateChanged>(&effect)) {
    refusal_.reset();
    if (!state->active && is_refusal(state->error.code)) refusal_ = state->error;
    if (state->active) {
      log::info(kLog, "registered with the manager at {}", state->manager.str());
    } else {
      log::debug(kLog, "no session with {}: {}", state->manager.str(), state->error.message);
    }
    observer_.on_session(state->active, state->manager, state->error);
  }
}

void SessionClient::Impl::stop() {
  if (stopped_) return;
  stopped_ = true;
  session_.stop();
  timer_->cancel();
  if (stream_) stream_->close();
  stream_.reset();
  for (const auto& waiting : std::exchange(waiting_, {})) {
    waiting->fail(unavailable("shoald is stopping: try again when it runs"));
  }
  channels_.clear();
}

void SessionClient::Impl::set_addresses(manager::NodeAddresses addresses) {
  if (config_.addresses == addresses) return;
  config_.addresses = std::move(addresses);
  if (!stream_) return;
  stream_->close();
  session_.receive(
      stream_number_,
      Session::Closed{unavailable("registering again with new addresses"), session_.leader()},
      clock_.now());
  turn_soon();
}

void SessionClient::Impl::set_host_routes(std::vector<Prefix> routes) {
  config_.description.host_routes = std::move(routes);
  if (stream_) stream_->send_description(manager::wire::to_wire(config_.description));
}

template <typename Request, typename Response>
void SessionClient::Impl::call(
    Request request,
    void (dispatch::Dispatcher::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                                      Response*, std::function<void(grpc::Status)>),
    std::function<void(Result<Response>)> done, Instant deadline) {
  auto call = std::make_shared<Call<Request, Response>>();
  call->request = std::move(request);
  call->method = method;
  call->done = std::move(done);
  call->deadline = std::min(clock_.now() + kCallDeadline, deadline);
  call->timer = strand_.make_timer();
  call->waiting = std::make_shared<Waiting>();
  call->waiting->fail = [weak = std::weak_ptr(call)](const Error& error) {
    const auto self = weak.lock();
    if (!self) return;
    self->timer->cancel();
    if (self->context) self->context->TryCancel();
    std::exchange(self->done, nullptr)(error);
  };
  waiting_.insert(call->waiting);
  attempt(call);
}

template <typename C>
void SessionClient::Impl::attempt(const std::shared_ptr<C>& call) {
  if (!call->done) return;
  if (refusal_) {
    waiting_.erase(call->waiting);
    std::exchange(call->done, nullptr)(Error(*refusal_));
    return;
  }
  const std::optional<HostPort> leader = session_.leader();
  if (!leader || !session_.active()) {
    if (quorum_lost_ && clock_.now() - quorum_lost_at_ < kQuorumNewsLife) {
      waiting_.erase(call->waiting);
      std::exchange(call->done, nullptr)(*quorum_lost_);
      return;
    }
    again(call, unavailable("no manager answers: this node has no session with a leader"));
    return;
  }
  call->stub = dispatch::Dispatcher::NewStub(channel_to(*leader));
  call->context = std::make_unique<grpc::ClientContext>();
  call->context->set_deadline(in(std::min(kTryDeadline, call->deadline - clock_.now())));
  call->response.Clear();
  auto finished_on_strand = [weak = weak_from_this(), call,
                             strand = &strand_](const grpc::Status& status) {
    strand->post([weak, call, status] {
      if (const auto self = weak.lock()) self->finished(call, status);
    });
  };
  (call->stub->async()->*call->method)(call->context.get(), &call->request, &call->response,
                                       std::move(finished_on_strand));
}

template <typename C>
void SessionClient::Impl::finished(const std::shared_ptr<C>& call, const grpc::Status& status) {
  if (!call->done) return;
  if (!status.ok()) {
    if (const auto leader = leader_of(*call->context)) {
      session_.hint_leader(*leader, clock_.now());
      turn_soon();
    }
    const Error error = error_of(status);
    if (worth_repeating(error.code)) {
      again(call, error);
      return;
    }
    waiting_.erase(call->waiting);
    std::exchange(call->done, nullptr)(error);
    return;
  }
  waiting_.erase(call->waiting);
  std::exchange(call->done, nullptr)(std::move(call->response));
}

template <typename C>
void SessionClient::Impl::again(const std::shared_ptr<C>& call, const Error& error) {
  const Instant next = clock_.now() + kTryAgain;
  if (next >= call->deadline) {
    waiting_.erase(call->waiting);
    std::exchange(call->done, nullptr)(error);
    return;
  }
  call->timer->wake_at(next, [weak = weak_from_this(), call] {
    if (const auto self = weak.lock()) self->attempt(call);
  });
}

SessionClient::SessionClient(SessionClientConfig config, Strand& strand, Clock& clock, Rng& rng,
                             SessionObserver& observer)
    : impl_(std::make_shared<Impl>(std::move(config), strand, clock, rng, observer)) {}

SessionClient::~SessionClient() { stop(); }

void SessionClient::start() { impl_->start(); }
void SessionClient::stop() { impl_->stop(); }
void SessionClient::set_addresses(manager::NodeAddresses addresses) {
  impl_->set_addresses(std::move(addresses));
}
void SessionClient::hurry() { impl_->hurry(); }
void SessionClient::doubt(const HostPort& manager) { impl_->doubt(manager); }
void SessionClient::set_host_routes(std::vector<Prefix> routes) {
  impl_->set_host_routes(std::move(routes));
}
bool SessionClient::reachable() const { return impl_->session().active(); }
std::optional<HostPort> SessionClient::manager() const {
  if (!reachable()) return std::nullopt;
  return impl_->session().leader();
}
const std::vector<HostPort>& SessionClient::managers() const { return impl_->session().managers(); }

void SessionClient::attach(const EndpointId& id, const std::string& network,
                           const manager::EndpointSpec& spec, Instant deadline,
                           std::function<void(Result<Lease>)> done) {
  dispatch::AttachEndpointRequest request;
  request.set_endpoint_id(id.str());
  request.set_network(network);
  *request.mutable_spec() = manager::wire::to_wire(spec);
  const auto read = [](const dispatch::AttachEndpointResponse& response) -> Result<Lease> {
    Lease lease;
    lease.endpoint = SHOAL_TRY(manager::wire::from_wire(response.endpoint()));
    lease.network = SHOAL_TRY(manager::wire::from_wire(response.network()));
    return lease;
  };
  impl_->call<dispatch::AttachEndpointRequest, dispatch::AttachEndpointResponse>(
      std::move(request), &dispatch::Dispatcher::Stub::async::AttachEndpoint,
      [read, done = std::move(done)](const Result<dispatch::AttachEndpointResponse>& response) {
        if (!response) {
          done(response.error());
          return;
        }
        Result<Lease> lease = read(*response);
        // Kept apart from a refusal: the lease exists.
        if (!lease) {
          done(internal_error("the manager's lease cannot be read: " + lease.error().message));
        } else {
          done(std::move(lease));
        }
      },
      deadline);
}

void SessionClient::detach(const EndpointId& id, std::function<void(Status)> done) {
  dispatch::DetachEndpointRequest request;
  request.set_endpoint_id(id.str());
  impl_->call<dispatch::DetachEndpointRequest, dispatch::DetachEndpointResponse>(
      std::move(request), &dispatch::Dispatcher::Stub::async::DetachEndpoint,
      [done = std::move(done)](const Result<dispatch::DetachEndpointResponse>& response) {
        done(response.ok() ? ok_status() : Status(response.error()));
      });
}

}  // namespace shoal::worker
