// Forwarder: foreign names, asked of upstreams for our clients. Pure: receive a query, an answer or
// a failure with the time, take the effects, come back at next_deadline().
//
//   query -> cache -> reply
//          | bounds -> REFUSED
//          | first upstream; no answer in kHedgeDelay -> the next one as well, and so on; after all
//          of
//            them every kRetryInterval again (a UDP packet may be lost); kQueryDeadline -> SERVFAIL
//
// The first useful answer ends a query: NOERROR or NXDOMAIN. SERVFAIL, REFUSED and the like end
// that upstream's part, and the query when it was the last. An answer counts only with the random
// id of its attempt, our question, and from the address asked; others are counted and ignored. An
// upstream that stays silent kMissesToDemote times in a row is asked last for kDemotedFor.
#pragma once

#include <functional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/ports/ports.h"
#include "worker/dns/codec/message.h"
#include "worker/dns/policy/cache.h"

namespace shoal::worker::dns {

// Where a reply goes. The forwarder only carries it.
struct Client {
  uint64_t sandbox = 0;
  Transport transport = Transport::kUdp;
  uint64_t connection = 0;  // TCP: which
  Ip ip;                    // UDP: where to
  uint16_t port = 0;

  friend bool operator==(const Client&, const Client&) = default;
};

// Sends `packet` to `upstream`. The first send of an attempt opens a socket of its own (its source
// port adds to the id against forged answers); a later one uses it again.
struct SendToUpstream {
  uint64_t attempt = 0;
  HostPort upstream;
  Transport transport = Transport::kUdp;
  Bytes packet;
};
struct CloseAttempt {
  uint64_t attempt = 0;
};
struct ReplyToClient {
  Client client;
  Bytes packet;
};
using ForwarderEffect = std::variant<SendToUpstream, CloseAttempt, ReplyToClient>;

struct ForwarderCounters {
  uint64_t queries = 0;
  uint64_t cache_hits = 0;
  uint64_t hedged = 0;                 // second and later upstreams asked
  uint64_t answered = 0;               // by an upstream, also NXDOMAIN
  uint64_t failed = 0;                 // SERVFAIL told: no upstream, all failed, or the deadline
  uint64_t refused_total_bound = 0;    // kMaxInFlight
  uint64_t refused_sandbox_bound = 0;  // kMaxInFlightPerSandbox
  uint64_t answers_mismatched = 0;     // wrong source, id or question
  uint64_t answers_malformed = 0;
};

class Forwarder {
 public:
  static constexpr size_t kMaxInFlight = 1024;  // as Docker; each costs up to kMaxUpstreams sockets
  // One namespace may hold an eighth, so that it takes eight at once to keep others out.
  static constexpr size_t kMaxInFlightPerSandbox = 128;
  static constexpr size_t kMaxUpstreams = 3;  // MAXNS of resolv.conf(5)
  static constexpr Duration kHedgeDelay = std::chrono::milliseconds(250);
  static constexpr Duration kRetryInterval = std::chrono::seconds(1);
  // A stub resolver gives up after 5 s: later than that nobody listens.
  static constexpr Duration kQueryDeadline = std::chrono::seconds(5);
  static constexpr int kMissesToDemote = 3;
  static constexpr Duration kDemotedFor = std::chrono::seconds(10);

  explicit Forwarder(Rng& rng) : rng_(rng) {}  // ids of attempts; outlives this

  // The first kMaxUpstreams are used, in this order of preference. A changed list drops the cache;
  // queries in flight go on with the upstreams they have asked.
  void set_upstreams(std::vector<HostPort> upstreams);

  void receive(const Client& client, const Query& query, Instant now);
  void receive_answer(uint64_t attempt, const HostPort& from, ByteView packet, Instant now);
  // The socket of an attempt failed (unreachable, refused, closed).
  void receive_failure(uint64_t attempt, Instant now);
  // Forgets what clients of the sandbox (or of its one connection) have asked.
  void cancel_sandbox(uint64_t sandbox);
  void cancel_connection(uint64_t sandbox, uint64_t connection);

  void tick(Instant now);
  Instant next_deadline() const;  // max() when idle
  std::vector<ForwarderEffect> take_effects();

  size_t in_flight() const { return queries_.size(); }
  const ForwarderCounters& counters() const { return counters_; }

 private:
  struct Upstream {
    HostPort address;
    int misses = 0;  // silences in a row
    Instant demoted_until{};
  };
  enum class AttemptState : uint8_t { kWaiting, kFailed };
  struct Attempt {
    uint64_t id = 0;
    uint16_t message_id = 0;
    HostPort upstream;
    bool with_edns = true;
    bool missed = false;  // its silence has been counted
    AttemptState state = AttemptState::kWaiting;
  };
  struct Pending {
    Client client;
    Query query;
    std::vector<HostPort> order;  // upstreams to ask, best first
    std::vector<Attempt> attempts;
    Instant deadline;
    Instant next_step;                    // the key in timeline_
    Rcode last_rcode = Rcode::kServFail;  // told when every upstream has refused
  };
  using Queries = std::unordered_map<uint64_t, Pending>;

  std::vector<HostPort> preferred(Instant now) const;
  Upstream* upstream(const HostPort& address);
  bool admit(const Client& client);
  void reply(const Client& client, const Query& query, Rcode rcode);
  void reply_relayed(const Client& client, const Query& query, ByteView packet,
                     const Response& response, uint32_t age);
  void send(Pending& pending, const Attempt& attempt);
  void ask_next(uint64_t id, Pending& pending, Instant now);
  void schedule(uint64_t id, Pending& pending, Instant when);
  void step(uint64_t id, Pending& pending, Instant now);
  void attempt_failed(uint64_t id, Pending& pending, Attempt& attempt, Instant now);
  void settle(uint64_t id, Pending& pending, Attempt& attempt, ByteView packet, Instant now);
  void fail(uint64_t id, const Pending& pending, Rcode rcode);
  void finish(uint64_t id);
  void cancel_if(const std::function<bool(const Client&)>& matches);
  void miss(const HostPort& address, Instant now);

  Rng& rng_;
  std::vector<Upstream> upstreams_;
  Cache cache_;
  Queries queries_;                                  // by query number
  std::unordered_map<uint64_t, uint64_t> attempts_;  // attempt -> query
  std::unordered_map<uint64_t, size_t> per_sandbox_;
  std::set<std::pair<Instant, uint64_t>> timeline_;  // next step of each query
  uint64_t next_number_ = 1;                         // of queries and attempts
  Response scratch_;                                 // kept for its capacity
  std::vector<ForwarderEffect> effects_;
  ForwarderCounters counters_;
};

}  // namespace shoal::worker::dns
