#include "worker/session/session.h"

#include <algorithm>
#include <utility>

namespace shoal::worker {
namespace {

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// `more` is the next message after `to`.
void append(Assignments& to, Assignments& more) {
  append(to.networks, more.networks);
  append(to.removed_networks, more.removed_networks);
  append(to.endpoints, more.endpoints);
  append(to.removed_endpoints, more.removed_endpoints);
  append(to.nodes, more.nodes);
  append(to.removed_nodes, more.removed_nodes);
}

size_t listed(const Assignments& lists) {
  return lists.networks.size() + lists.removed_networks.size() + lists.endpoints.size() +
         lists.removed_endpoints.size() + lists.nodes.size() + lists.removed_nodes.size();
}

}  // namespace

Session::Session(std::vector<HostPort> managers, Rng& rng)
    : rng_(rng), managers_(std::move(managers)) {
  if (managers_.size() > kMaxManagers) managers_.resize(kMaxManagers);
}

void Session::start(Instant now) {
  if (state_ != State::kStopped) return;
  state_ = State::kWaiting;
  backoff_ = kBackoffMin;
  quick_tries_ = redirects_ = 0;
  deadline_ = now;
}

void Session::stop() {
  if (state_ == State::kOpening || state_ == State::kActive) {
    effects_.push_back(CloseStream{stream_});
  }
  state_ = State::kStopped;
  deadline_ = next_heartbeat_ = Instant::max();
  ++stream_;
}

std::optional<HostPort> Session::leader() const {
  if (state_ == State::kActive) return current_;
  if (hint_) return hint_;
  if (managers_.empty()) return std::nullopt;
  return managers_[next_manager_ % managers_.size()];
}

void Session::hint_leader(const HostPort& manager, Instant now) {
  if (state_ == State::kStopped || state_ == State::kActive) return;
  hint_ = manager;
  if (state_ == State::kWaiting) deadline_ = std::min(deadline_, now);
}

void Session::hurry(Instant now) {
  if (state_ != State::kWaiting && state_ != State::kOpening) return;
  backoff_ = kBackoffMin;
  if (state_ == State::kWaiting) deadline_ = std::min(deadline_, now + jittered(kQuickRetry));
}

void Session::doubt(const HostPort& manager, Instant now) {
  if (state_ != State::kActive || manager != current_ || doubted_ != Instant::max()) return;
  doubted_ = now + kDoubtPatience;
  next_heartbeat_ = now;
}

Duration Session::jittered(Duration delay) {
  const auto half = static_cast<uint64_t>(delay.count()) / 2;
  return Duration(static_cast<int64_t>(half + rng_.below(half + 1)));
}

void Session::open(Instant now) {
  if (hint_) {
    current_ = *std::exchange(hint_, std::nullopt);
  } else if (managers_.empty()) {
    deadline_ = now + kBackoffMax;  // until hint_leader() names one
    return;
  } else {
    current_ = managers_[next_manager_++ % managers_.size()];
  }
  ++stream_;
  state_ = State::kOpening;
  deadline_ = now + kOpenTimeout;
  effects_.push_back(OpenStream{stream_, current_});
}

Duration Session::retry_delay(Why why) {
  if (why == Why::kBereft) {
    quick_tries_ = kQuickTries;
    return Duration::zero();
  }
  if (why == Why::kRedirected && redirects_ < kQuickTries) {
    return ++redirects_ == 1 ? Duration::zero() : jittered(kQuickRetry);
  }
  if (quick_tries_ > 0) {
    --quick_tries_;
    return jittered(kQuickRetry);
  }
  return jittered(std::exchange(backoff_, std::min(backoff_ * 2, kBackoffMax)));
}

// The stream is gone: tell, and plan the next try.
void Session::lost(Error error, Instant now, bool redirected) {
  Why why = redirected ? Why::kRedirected : Why::kFailed;
  if (state_ == State::kActive) why = Why::kBereft;
  effects_.push_back(StateChanged{false, current_, std::move(error)});
  state_ = State::kWaiting;
  next_heartbeat_ = Instant::max();
  deadline_ = now + retry_delay(why);
}

Instant Session::silent_at() const {
  return std::min(heard_ + heartbeat_period_ * kSilentPeriods, doubted_);
}

void Session::close_and_lose(Error error, Instant now) {
  effects_.push_back(CloseStream{stream_});
  lost(std::move(error), now);
}

void Session::receive(uint64_t stream, Input input, Instant now) {
  if (stream != stream_ || (state_ != State::kOpening && state_ != State::kActive)) return;
  heard_ = now;
  doubted_ = Instant::max();
  std::visit([&](auto& message) { on(std::move(message), now); }, input);
}

void Session::on(Registered registered, Instant now) {
  if (state_ != State::kOpening) return;
  state_ = State::kActive;
  deadline_ = Instant::max();
  backoff_ = kBackoffMin;
  quick_tries_ = redirects_ = 0;
  sequence_ = 0;
  partial_ = {};
  heartbeat_period_ = std::clamp(registered.heartbeat_period, kHeartbeatMin, kHeartbeatMax);
  next_heartbeat_ = now + heartbeat_period_;
  effects_.push_back(StateChanged{true, current_, {}});
}

void Session::on(ClusterInfo cluster, Instant) {
  learn_managers(cluster);
  effects_.push_back(DeliverCluster{std::move(cluster)});
}

void Session::on(Assignments assignments, Instant now) {
  const bool first = sequence_ == 0;
  if (assignments.sequence != sequence_ + 1 || (first && !assignments.complete)) {
    close_and_lose(
        data_loss("assignments " + std::to_string(assignments.sequence) + " came after " +
                  std::to_string(sequence_) + ": the session is opened again"),
        now);
    return;
  }
  sequence_ = assignments.sequence;
  if (listed(partial_) + listed(assignments) > kMaxListed) {
    close_and_lose(data_loss("assignments list more than " + std::to_string(kMaxListed) +
                             " objects: the session is opened again"),
                   now);
    return;
  }
  const bool more = assignments.more;
  // What is complete replaces what came before it.
  if (assignments.complete || partial_.sequence == 0) {
    partial_ = std::move(assignments);
  } else {
    append(partial_, assignments);
  }
  if (more) return;
  partial_.more = false;
  partial_.sequence = sequence_;
  effects_.push_back(DeliverAssignments{std::exchange(partial_, {})});
}

void Session::on(HeartbeatAck, Instant) {}

void Session::on(Closed closed, Instant now) {
  const bool redirected = closed.leader.has_value() && *closed.leader != current_;
  if (redirected) hint_ = closed.leader;
  lost(std::move(closed.error), now, redirected);
}

void Session::learn_managers(const ClusterInfo& cluster) {
  std::vector<HostPort> known;
  for (const manager::Node& node : cluster.managers) {
    if (node.addresses.control && known.size() < kMaxManagers) {
      known.push_back(*node.addresses.control);
    }
  }
  if (known.empty()) return;  // a leader without an address cannot be what it means
  managers_ = std::move(known);
  next_manager_ = rng_.below(managers_.size());
}

void Session::tick(Instant now) {
  if (state_ == State::kWaiting && now >= deadline_) {
    open(now);
  } else if (state_ == State::kOpening && now >= deadline_) {
    close_and_lose(deadline_exceeded("the manager at " + current_.str() + " does not answer"), now);
  } else if (state_ == State::kActive) {
    if (now >= silent_at()) {
      close_and_lose(unavailable("the manager at " + current_.str() + " fell silent"), now);
    } else if (now >= next_heartbeat_) {
      next_heartbeat_ = now + heartbeat_period_;
      const bool quiet = doubted_ == Instant::max() && now - heard_ < heartbeat_period_ * 3 / 2;
      effects_.push_back(SendHeartbeat{stream_, quiet});
    }
  }
}

std::vector<Session::Effect> Session::take_effects() { return std::exchange(effects_, {}); }

Instant Session::next_deadline() const {
  if (state_ != State::kActive) return deadline_;
  return std::min(next_heartbeat_, silent_at());
}

}  // namespace shoal::worker
