#include "manager/dispatcher/server.h"

#include "manager/control/commands.h"
#include "manager/dispatcher/wire.h"
#include "manager/security/credentials.h"
#include "manager/wire/common_wire.h"

namespace shoal::manager {

DispatcherServer::DispatcherServer(Strand& strand, Clock& clock, Replica& replica)
    : strand_(strand),
      clock_(clock),
      replica_(replica),
      core_(replica.store(), replica.rng()),
      timer_(strand.make_timer()),
      catch_up_timer_(strand.make_timer()),
      push_timer_(strand.make_timer()) {}

void DispatcherServer::post(std::function<void()> work) {
  strand_.post([alive = std::weak_ptr(alive_), work = std::move(work)] {
    if (!alive.expired()) work();
  });
}

std::string DispatcherServer::leader_text() const {
  const auto leader = replica_.leader_address();
  return leader ? leader->str() : "";
}

// Streams.

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* DispatcherServer::Session(
    grpc::CallbackServerContext* context) {
  const StreamId id = next_stream_++;
  const Caller caller = caller_of(*context);
  const auto stream = SessionStream::open(context, clock_,
                                          {[this, id](const dispatch::WorkerMessage& message) {
                                             post([this, id, message] { receive(id, message); });
                                           },
                                           [this, id] {
                                             post([this, id] {
                                               core_.written(id, clock_.now());
                                               pump();
                                             });
                                           },
                                           [this, id] {
                                             post([this, id] {
                                               streams_.erase(id);
                                               core_.closed(id, clock_.now());
                                               pump();
                                             });
                                           }});
  post([this, id, caller, stream] { open(id, caller, stream); });
  return stream.get();
}

void DispatcherServer::open(StreamId id, const Caller& caller,
                            const std::shared_ptr<SessionStream>& stream) {
  Status status = may_dispatch(caller);
  if (status && streams_.size() >= kMaxStreams) {
    status = resource_exhausted("this manager serves " + std::to_string(kMaxStreams) +
                                " sessions already");
  }
  if (!status) return stream->finish(refusal(status.error()), leader_text(), false);
  streams_[id] = stream;
  core_.opened(id, caller.node, clock_.now());
  stream->read();
  pump();
}

// Tells the worker too when it waits in vain (worker/session/stream.h).
grpc::Status DispatcherServer::refusal(const Error& error) const {
  const grpc::Status status = to_grpc(error);
  if (!replica_.quorum_lost()) return status;
  return {status.error_code(), status.error_message(), std::string(kOurStatus) + " quorum-lost"};
}

Status DispatcherServer::may_dispatch(const Caller& caller) const {
  SHOAL_TRY(authorize(caller, Method::kDispatch));
  if (stopped_ || !replica_.is_leader()) return not_leader(replica_);
  return admit(replica_.store(), caller, Method::kDispatch);
}

void DispatcherServer::receive(StreamId id, const dispatch::WorkerMessage& message) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return;
  if (message.has_register_()) {
    auto registration = wire::from_wire(message.register_());
    if (!registration) {
      return stream->second->finish(to_grpc(registration.error()), "", false);
    }
    core_.registered(id, std::move(registration->description), std::move(registration->addresses),
                     clock_.now());
  } else if (message.has_description()) {
    auto description = wire::from_wire(message.description());
    if (!description) return stream->second->finish(to_grpc(description.error()), "", false);
    core_.described(id, std::move(*description), clock_.now());
  } else if (message.has_heartbeat()) {
    core_.heartbeat(id, clock_.now());
  }
  stream->second->read();
  pump();
}

// Unary calls.

grpc::ServerUnaryReactor* DispatcherServer::AttachEndpoint(
    grpc::CallbackServerContext* context, const dispatch::AttachEndpointRequest* request,
    dispatch::AttachEndpointResponse* response) {
  const Unary call{context, context->DefaultReactor(), caller_of(*context)};
  post([this, call, request, response] { attach(call, *request, response); });
  return call.reactor;
}

grpc::ServerUnaryReactor* DispatcherServer::DetachEndpoint(
    grpc::CallbackServerContext* context, const dispatch::DetachEndpointRequest* request,
    dispatch::DetachEndpointResponse*) {
  const Unary call{context, context->DefaultReactor(), caller_of(*context)};
  post([this, call, request] { detach(call, *request); });
  return call.reactor;
}

Status DispatcherServer::admit_unary(const Unary& call) {
  SHOAL_TRY(may_dispatch(call.caller));
  if (unary_calls_ >= kMaxAttachCalls) {
    return resource_exhausted("too many endpoints are being attached at once: try again");
  }
  ++unary_calls_;
  return ok_status();
}

void DispatcherServer::finish(const Unary& call, const Status& status) {
  if (status) return call.reactor->Finish(grpc::Status::OK);
  Error error = status.error();
  // Whether it happened is not known, and asking again is harmless.
  if (error.code == ErrorClass::kDeadlineExceeded) error.code = ErrorClass::kUnavailable;
  if (error.code == ErrorClass::kUnavailable) {
    if (const std::string leader = leader_text(); !leader.empty()) {
      call.context->AddTrailingMetadata(kLeaderMetadata, leader);
    }
  }
  call.reactor->Finish(to_grpc(error));
}

void DispatcherServer::attach(const Unary& call, const dispatch::AttachEndpointRequest& request,
                              dispatch::AttachEndpointResponse* response) {
  if (const Status allowed = admit_unary(call); !allowed) return finish(call, allowed);
  const auto build = [this, node = call.caller.node, &request]() -> Result<Command> {
    EndpointId id;
    if (!request.endpoint_id().empty()) id = SHOAL_TRY(EndpointId::parse(request.endpoint_id()));
    auto spec = SHOAL_TRY(wire::from_wire(request.spec()));
    return control::attach_endpoint(replica_.store(), id, request.network(), node, std::move(spec),
                                    {replica_.wall(), replica_.rng()});
  };
  change(replica_, build, [this, call, response](const Result<Answer>& answer) {
    --unary_calls_;
    if (!answer) return finish(call, answer.error());
    const auto* endpoint = std::get_if<Endpoint>(&*answer);
    SHOAL_CHECK(endpoint != nullptr, "an attachment answers with its endpoint");
    *response->mutable_endpoint() = wire::to_wire(*endpoint);
    if (const Network* network = replica_.store().network(endpoint->network_id)) {
      *response->mutable_network() = wire::to_wire(*network);
    }
    finish(call, ok_status());
  });
}

void DispatcherServer::detach(const Unary& call, const dispatch::DetachEndpointRequest& request) {
  if (const Status allowed = admit_unary(call); !allowed) return finish(call, allowed);
  const auto build = [this, node = call.caller.node, &request]() -> Result<Command> {
    const EndpointId id = SHOAL_TRY(EndpointId::parse(request.endpoint_id()));
    return Command{replica_.wall(), replica_.rng().next(),
                   shoal::manager::DetachEndpoint{id, node}};
  };
  change(replica_, build, [this, call](const Result<Answer>& answer) {
    --unary_calls_;
    finish(call, answer ? ok_status() : Status(answer.error()));
  });
}

// The core's shell.

void DispatcherServer::leader_changed() {
  if (stopped_) return;
  if (core_.leading()) {
    core_.step_down(not_leader(replica_));
    pump();
  }
  if (replica_.is_leader()) catch_up();
}

// A new leader's store may lack what the former one acknowledged: told from it, a worker would
// take down an endpoint it has just put up.
void DispatcherServer::catch_up() {
  replica_.read([this, alive = std::weak_ptr(alive_)](const Status& status) {
    if (alive.expired() || stopped_ || !replica_.is_leader()) return;
    if (status) {
      core_.become_leader(clock_.now());
      return pump();
    }
    catch_up_timer_->wake_at(clock_.now() + kCatchUpAgain, [this, alive] {
      if (!alive.expired() && !stopped_ && replica_.is_leader() && !core_.leading()) catch_up();
    });
  });
}

void DispatcherServer::applied(const std::vector<Change>& changes) {
  core_.applied(changes, clock_.now());
  if (std::exchange(push_due_, true)) return;
  const Instant now = clock_.now();
  const Instant earliest = pushed_ + kPushInterval;
  const auto push = [this] {
    push_due_ = false;
    pushed_ = clock_.now();
    pump();
  };
  if (now >= earliest) return post(push);
  push_timer_->wake_at(earliest, [alive = std::weak_ptr(alive_), push] {
    if (!alive.expired()) push();
  });
}

void DispatcherServer::store_replaced() {
  core_.store_replaced(clock_.now());
  pump();
}

void DispatcherServer::stop() {
  if (stopped_) return;
  stopped_ = true;
  core_.step_down(unavailable("this manager is stopping"));
  pump();
  catch_up_timer_->cancel();
  push_timer_->cancel();
}

// Messages one after the other read as one that has the lists of both (Protobuf's merging).
grpc::ByteBuffer DispatcherServer::encode(const Told& told) {
  std::array<grpc::Slice, 2> slices;
  slices[0] = grpc::Slice(wire::to_wire(told.message).SerializeAsString());
  if (!told.shared) return {slices.data(), 1};
  const auto [it, fresh] = encoded_.try_emplace(told.shared);
  if (fresh) it->second = grpc::Slice(wire::to_wire(*told.shared).SerializeAsString());
  slices[1] = it->second;
  return {slices.data(), slices.size()};
}

// Only when a deadline is reached; each is some periods off again then.
void DispatcherServer::ask_who_was_heard() {
  if (clock_.now() < core_.next_deadline()) return;
  for (const auto& [id, stream] : streams_) {
    if (const auto when = stream->take_heard()) core_.heard(id, *when);
  }
}

void DispatcherServer::pump() {
  if (pumping_) return;  // a refused proposal calls back from inside
  pumping_ = true;
  ask_who_was_heard();
  core_.tick(clock_.now());
  while (true) {
    Dispatcher::Effects effects = core_.take_effects(clock_.now());
    if (effects.empty()) break;
    for (const auto& close : effects.close) {
      const auto stream = streams_.find(close.stream);
      if (stream == streams_.end()) continue;
      const bool elsewhere = close.reason.code == ErrorClass::kUnavailable;
      stream->second->finish(to_grpc(close.reason), elsewhere ? leader_text() : "", close.stuck);
    }
    for (const auto& send : effects.send) {
      const auto stream = streams_.find(send.stream);
      if (stream == streams_.end()) continue;
      std::vector<grpc::ByteBuffer> batch;
      batch.reserve(send.messages.size());
      for (const Told& told : send.messages) batch.push_back(encode(told));
      stream->second->write(std::move(batch));
    }
    for (auto& command : effects.commands) {
      replica_.propose({replica_.wall(), replica_.rng().next(), std::move(command)},
                       [](const Result<Answer>&) {});
    }
  }
  std::erase_if(encoded_, [](const auto& entry) { return entry.first.use_count() == 1; });
  pumping_ = false;
  const Instant next = core_.next_deadline();
  if (stopped_ || next == Instant::max()) return timer_->cancel();
  timer_->wake_at(next, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) pump();
  });
}

}  // namespace shoal::manager
