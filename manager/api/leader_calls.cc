#include "manager/api/leader_calls.h"

#include <algorithm>
#include <array>

namespace shoal::manager {
namespace {

// Old leaders' channels are dropped beyond this; there are few managers.
constexpr size_t kMaxChannels = 16;

bool another_leader_may_help(ErrorClass code) {
  return code == ErrorClass::kUnavailable || code == ErrorClass::kDeadlineExceeded;
}

}  // namespace

struct LeaderCalls::State {
  Call call;
  std::unique_ptr<Timer> timer;  // none before the first pause
  Duration backoff = kRetryFirst;
  bool waiting = false;  // for the timer or news
  uint64_t begun = 0;    // applied here before the first try
  bool local = false;    // `local` is under way
  std::string sent_to;   // the leader that is asked
  std::shared_ptr<grpc::ClientContext> context;
  uint64_t attempt = 0;  // answers of earlier ones are ignored
  bool finished = false;

  // Whether it takes effect is not known now.
  bool under_way() const { return context != nullptr || local; }
};

void LeaderCalls::start(Call call) {
  if (stopped_) return call.done(unavailable("this manager is stopping"));
  if (calls_.size() >= kMaxLeaderCalls) {
    return call.done(resource_exhausted("too many calls are waiting for the leader: try again"));
  }
  if (call.request_id.empty()) {
    std::array<uint8_t, 16> random;
    replica_.rng().fill(random);
    call.request_id = id_from_random(random);
  }
  auto state = std::make_shared<State>();
  state->begun = call.retried_since != 0 ? call.retried_since
                                         : std::max<uint64_t>(replica_.store().applied_index(), 1);
  state->call = std::move(call);
  calls_.insert(state);
  step(state);
}

void LeaderCalls::step(const std::shared_ptr<State>& state) {
  if (state->finished) return;
  state->waiting = false;
  if (state->timer) state->timer->cancel();
  const uint64_t attempt = ++state->attempt;
  if (std::chrono::system_clock::now() >= state->call.deadline) {
    return finish(state, deadline_exceeded("no leader carried this out in time; `shoal node ls` "
                                           "shows which managers answer"));
  }
  if (replica_.is_leader() || (state->call.anywhere && replica_.leader_raft_id() != 0)) {
    state->local = true;
    state->call.local(state->call,
                      [this, alive = std::weak_ptr(alive_), state, attempt](const Status& status) {
                        if (!alive.expired() && attempt == state->attempt) tried(state, status);
                      });
    return;
  }
  const auto address = replica_.leader_address();
  if (state->call.forwarded) return finish(state, not_leader(replica_));
  if (address) return send(state, *address);
  if (const auto lost = replica_.quorum_lost()) return finish_without_quorum(state, *lost);
  tried(state, not_leader(replica_));
}

void LeaderCalls::send(const std::shared_ptr<State>& state, const HostPort& address) {
  const uint64_t attempt = state->attempt;
  state->sent_to = address.str();
  state->context = std::make_shared<grpc::ClientContext>();
  auto& context = *state->context;
  context.set_deadline(state->call.deadline);
  context.AddMetadata(kRequestIdMetadata, state->call.request_id);
  if (state->call.retried_since != 0) {
    context.AddMetadata(kRetryMetadata, std::to_string(state->call.retried_since));
  }
  for (const auto& [key, value] : state->call.metadata) context.AddMetadata(key, value);
  Strand& strand = strand_;
  state->call.remote(channel_to(state->sent_to), context,
                     [this, &strand, alive = std::weak_ptr(alive_), state, held = state->context,
                      attempt](const grpc::Status& status, const std::function<void()>& accept) {
                       strand.post([this, alive, state, held, attempt, status, accept] {
                         if (alive.expired() || attempt != state->attempt) return;
                         if (status.ok()) accept();
                         state->context.reset();
                         tried(state, status.ok() ? ok_status() : Status(from_grpc(status)));
                       });
                     });
}

void LeaderCalls::tried(const std::shared_ptr<State>& state, const Status& status) {
  state->local = false;
  if (state->finished) return;
  if (status.ok() || !another_leader_may_help(status.error().code) || state->call.forwarded) {
    return finish(state, status);
  }
  if (status.error().code == ErrorClass::kDeadlineExceeded) {
    state->call.retried_since = state->begun;
  }
  const auto now = std::chrono::system_clock::now();
  if (now >= state->call.deadline) return finish(state, status);
  state->waiting = true;
  const Duration left = std::chrono::duration_cast<Duration>(state->call.deadline - now) +
                        std::chrono::milliseconds(1);
  if (!state->timer) state->timer = strand_.make_timer();
  const Instant when{std::chrono::steady_clock::now().time_since_epoch().count()};
  state->timer->wake_at(when + std::min(state->backoff, left),
                        [this, alive = std::weak_ptr(alive_), state, attempt = state->attempt] {
                          if (!alive.expired() && attempt == state->attempt) step(state);
                        });
  state->backoff = std::min(state->backoff * 2, kRetryMost);
}

void LeaderCalls::finish(const std::shared_ptr<State>& state, Status status) {
  if (state->finished) return;
  state->finished = true;
  ++state->attempt;
  if (state->timer) state->timer->cancel();
  calls_.erase(state);
  if (!status && status.error().code == ErrorClass::kUnavailable &&
      state->call.retried_since != 0 && !state->call.forwarded) {
    status =
        deadline_exceeded("it may or may not have been carried out: the answer was lost, and " +
                          status.error().message);
  }
  const StatusDone done = std::move(state->call.done);
  done(std::move(status));
}

void LeaderCalls::finish_without_quorum(const std::shared_ptr<State>& state, const Error& lost) {
  if (state->call.without_quorum) return finish(state, state->call.without_quorum(lost));
  if (state->under_way()) state->call.retried_since = state->begun;
  finish(state, lost);
}

void LeaderCalls::quorum_lost() {
  for (const auto& state : std::set(calls_)) {
    const auto lost = replica_.quorum_lost();
    if (!lost) return;
    // What `local` still touches must not end under it: those calls end with their proposals.
    if (state->call.forwarded || (state->local && !state->call.outlived)) continue;
    if (state->context) state->context->TryCancel();
    finish_without_quorum(state, *lost);
  }
}

void LeaderCalls::leader_changed() {
  const auto address = replica_.leader_address();
  for (const auto& state : std::set(calls_)) {
    if (state->context && (!address || address->str() != state->sent_to)) {
      state->context->TryCancel();
    } else if (state->waiting && (address || replica_.is_leader())) {
      state->backoff = kRetryFirst;
      step(state);
    }
  }
}

void LeaderCalls::stop() {
  stopped_ = true;
  for (const auto& state : std::set(calls_)) {
    if (state->context) state->context->TryCancel();
    if (state->under_way()) state->call.retried_since = state->begun;
    finish(state, unavailable("this manager is stopping"));
  }
}

std::shared_ptr<grpc::Channel> LeaderCalls::channel_to(const std::string& address) {
  if (const auto known = channels_.find(address); known != channels_.end()) return known->second;
  if (channels_.size() >= kMaxChannels) channels_.clear();
  return channels_[address] = manager_channel(identity_, address);
}

}  // namespace shoal::manager
