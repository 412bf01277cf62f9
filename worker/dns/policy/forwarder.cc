#include "worker/dns/policy/forwarder.h"

#include <algorithm>

#include "worker/dns/codec/build.h"

namespace shoal::worker::dns {

void Forwarder::set_upstreams(std::vector<HostPort> upstreams) {
  if (upstreams.size() > kMaxUpstreams) upstreams.resize(kMaxUpstreams);
  const bool same = std::equal(
      upstreams.begin(), upstreams.end(), upstreams_.begin(), upstreams_.end(),
      [](const HostPort& address, const Upstream& known) { return address == known.address; });
  if (same) return;
  upstreams_.clear();
  for (const HostPort& address : upstreams) upstreams_.push_back({.address = address});
  cache_.clear();
}

std::vector<HostPort> Forwarder::preferred(Instant now) const {
  std::vector<HostPort> order;
  for (const bool demoted : {false, true}) {
    for (const Upstream& upstream : upstreams_) {
      if ((upstream.demoted_until > now) == demoted) order.push_back(upstream.address);
    }
  }
  return order;
}

Forwarder::Upstream* Forwarder::upstream(const HostPort& address) {
  const auto found =
      std::find_if(upstreams_.begin(), upstreams_.end(),
                   [&](const Upstream& upstream) { return upstream.address == address; });
  return found == upstreams_.end() ? nullptr : &*found;
}

void Forwarder::miss(const HostPort& address, Instant now) {
  Upstream* const silent = upstream(address);
  if (silent == nullptr || ++silent->misses < kMissesToDemote) return;
  silent->demoted_until = now + kDemotedFor;
  silent->misses = kMissesToDemote - 1;  // after its rest one more silence is enough
}

bool Forwarder::admit(const Client& client) {
  if (queries_.size() >= kMaxInFlight) {
    ++counters_.refused_total_bound;
    return false;
  }
  size_t& of_sandbox = per_sandbox_[client.sandbox];
  if (of_sandbox >= kMaxInFlightPerSandbox) {
    ++counters_.refused_sandbox_bound;
    return false;
  }
  ++of_sandbox;
  return true;
}

void Forwarder::reply(const Client& client, const Query& query, Rcode rcode) {
  Bytes packet(ReplyWriter::kMinReplyBuffer);
  packet.resize(build_empty_reply(packet, query, rcode));
  effects_.push_back(ReplyToClient{client, std::move(packet)});
}

void Forwarder::reply_relayed(const Client& client, const Query& query, ByteView packet,
                              const Response& response, uint32_t age) {
  const size_t limit = reply_limit(query, client.transport);
  effects_.push_back(
      ReplyToClient{client, build_relayed_reply(packet, response, query, limit, age)});
}

void Forwarder::receive(const Client& client, const Query& query, Instant now) {
  ++counters_.queries;
  if (const Cache::Hit hit = cache_.find(query, now); hit.response != nullptr) {
    ++counters_.cache_hits;
    reply_relayed(client, query, hit.packet, *hit.response, hit.age);
    return;
  }
  if (upstreams_.empty()) {
    ++counters_.failed;
    reply(client, query, Rcode::kServFail);
    return;
  }
  if (!admit(client)) {
    reply(client, query, Rcode::kRefused);
    return;
  }
  const uint64_t id = next_number_++;
  Pending& pending = queries_[id];
  pending.client = client;
  pending.query = query;
  pending.order = preferred(now);
  pending.deadline = now + kQueryDeadline;
  ask_next(id, pending, now);
}

void Forwarder::send(Pending& pending, const Attempt& attempt) {
  Bytes packet(ReplyWriter::kMinReplyBuffer);
  packet.resize(build_upstream_query(packet, pending.query, attempt.message_id, attempt.with_edns));
  effects_.push_back(
      SendToUpstream{attempt.id, attempt.upstream, pending.client.transport, std::move(packet)});
}

void Forwarder::ask_next(uint64_t id, Pending& pending, Instant now) {
  if (!pending.attempts.empty()) ++counters_.hedged;
  const Attempt attempt{.id = next_number_++,
                        .message_id = static_cast<uint16_t>(rng_.next()),
                        .upstream = pending.order[pending.attempts.size()]};
  pending.attempts.push_back(attempt);
  attempts_[attempt.id] = id;
  send(pending, attempt);
  const bool was_last = pending.attempts.size() == pending.order.size();
  schedule(id, pending, now + (was_last ? kRetryInterval : kHedgeDelay));
}

void Forwarder::schedule(uint64_t id, Pending& pending, Instant when) {
  timeline_.erase({pending.next_step, id});
  pending.next_step = std::min(when, pending.deadline);
  timeline_.emplace(pending.next_step, id);
}

void Forwarder::step(uint64_t id, Pending& pending, Instant now) {
  for (Attempt& attempt : pending.attempts) {
    if (attempt.missed || attempt.state != AttemptState::kWaiting) continue;
    attempt.missed = true;
    miss(attempt.upstream, now);
  }
  if (now >= pending.deadline) {
    fail(id, pending, Rcode::kServFail);
    return;
  }
  if (pending.attempts.size() < pending.order.size()) {
    ask_next(id, pending, now);
    return;
  }
  if (pending.client.transport == Transport::kUdp) {
    for (const Attempt& attempt : pending.attempts) {
      if (attempt.state == AttemptState::kWaiting) send(pending, attempt);
    }
  }
  schedule(id, pending, now + kRetryInterval);
}

void Forwarder::receive_answer(uint64_t attempt_id, const HostPort& from, ByteView packet,
                               Instant now) {
  const auto owner = attempts_.find(attempt_id);
  if (owner == attempts_.end()) return;
  const uint64_t id = owner->second;
  Pending& pending = queries_.at(id);
  Attempt& attempt =
      *std::find_if(pending.attempts.begin(), pending.attempts.end(),
                    [&](const Attempt& candidate) { return candidate.id == attempt_id; });
  if (from != attempt.upstream) {
    ++counters_.answers_mismatched;
    return;
  }
  if (!parse_response(packet, scratch_)) {
    ++counters_.answers_malformed;
    return;
  }
  if (scratch_.id != attempt.message_id || scratch_.question != pending.query.question) {
    ++counters_.answers_mismatched;
    return;
  }
  settle(id, pending, attempt, packet, now);
}

// `scratch_` is the parse of `packet`, which answers the attempt.
void Forwarder::settle(uint64_t id, Pending& pending, Attempt& attempt, ByteView packet,
                       Instant now) {
  if (Upstream* const answering = upstream(attempt.upstream)) {
    answering->misses = 0;
    answering->demoted_until = {};
  }
  const auto rcode = static_cast<Rcode>(scratch_.rcode);
  if (rcode == Rcode::kNoError || rcode == Rcode::kNxDomain) {
    ++counters_.answered;
    cache_.put(pending.query, packet, scratch_, now);
    reply_relayed(pending.client, pending.query, packet, scratch_, 0);
    finish(id);
    return;
  }
  if ((rcode == Rcode::kFormErr || rcode == Rcode::kNotImp) && attempt.with_edns) {
    // A server from before EDNS.
    attempt.with_edns = false;
    send(pending, attempt);
    return;
  }
  // Codes that need EDNS to be said are not told to a client that may not have it.
  pending.last_rcode = scratch_.rcode > flag::kRcodeMask ? Rcode::kServFail : rcode;
  attempt_failed(id, pending, attempt, now);
}

void Forwarder::receive_failure(uint64_t attempt_id, Instant now) {
  const auto owner = attempts_.find(attempt_id);
  if (owner == attempts_.end()) return;
  const uint64_t id = owner->second;
  Pending& pending = queries_.at(id);
  for (Attempt& attempt : pending.attempts) {
    if (attempt.id != attempt_id) continue;
    if (!attempt.missed) miss(attempt.upstream, now);
    attempt_failed(id, pending, attempt, now);
    return;
  }
}

void Forwarder::attempt_failed(uint64_t id, Pending& pending, Attempt& attempt, Instant now) {
  attempt.state = AttemptState::kFailed;
  attempts_.erase(attempt.id);
  effects_.push_back(CloseAttempt{attempt.id});
  if (pending.attempts.size() < pending.order.size()) {
    ask_next(id, pending, now);
    return;
  }
  const bool waiting =
      std::any_of(pending.attempts.begin(), pending.attempts.end(),
                  [](const Attempt& other) { return other.state == AttemptState::kWaiting; });
  if (!waiting) fail(id, pending, pending.last_rcode);
}

void Forwarder::fail(uint64_t id, const Pending& pending, Rcode rcode) {
  ++counters_.failed;
  reply(pending.client, pending.query, rcode);
  finish(id);
}

void Forwarder::finish(uint64_t id) {
  const auto query = queries_.find(id);
  for (const Attempt& attempt : query->second.attempts) {
    if (attempt.state != AttemptState::kWaiting) continue;
    attempts_.erase(attempt.id);
    effects_.push_back(CloseAttempt{attempt.id});
  }
  timeline_.erase({query->second.next_step, id});
  const auto of_sandbox = per_sandbox_.find(query->second.client.sandbox);
  if (--of_sandbox->second == 0) per_sandbox_.erase(of_sandbox);
  queries_.erase(query);
}

void Forwarder::cancel_if(const std::function<bool(const Client&)>& matches) {
  std::vector<uint64_t> cancelled;
  for (const auto& [id, pending] : queries_) {
    if (matches(pending.client)) cancelled.push_back(id);
  }
  for (const uint64_t id : cancelled) finish(id);
}

void Forwarder::cancel_sandbox(uint64_t sandbox) {
  cancel_if([sandbox](const Client& client) { return client.sandbox == sandbox; });
}

void Forwarder::cancel_connection(uint64_t sandbox, uint64_t connection) {
  cancel_if([=](const Client& client) {
    return client.sandbox == sandbox && client.transport == Transport::kTcp &&
           client.connection == connection;
  });
}

void Forwarder::tick(Instant now) {
  while (!timeline_.empty() && timeline_.begin()->first <= now) {
    const uint64_t id = timeline_.begin()->second;
    step(id, queries_.at(id), now);
  }
}

Instant Forwarder::next_deadline() const {
  return timeline_.empty() ? Instant::max() : timeline_.begin()->first;
}

std::vector<ForwarderEffect> Forwarder::take_effects() { return std::exchange(effects_, {}); }

}  // namespace shoal::worker::dns
