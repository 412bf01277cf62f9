// Session: keeps one stream to the cluster's leader open, for ever. Pure: streams are opened and
// closed by effects, and what comes from them goes in through receive().
//
// States: waiting (for the next try) -> opening (stream asked for, Registered awaited) -> active.
//   - Candidates are the leader a follower named, then the managers last heard of and the
//     remembered ones in turn.
//   - A failed try is repeated after kBackoffMin, doubling to kBackoffMax, each time with jitter
//     (half to whole). Redirected, or just bereft of an active session, it tries again at once and
//     then within kQuickRetry, kQuickTries times: an election takes about a second and nobody wants
//     to wait longer than it. Followers may go on naming a dead leader, hence the bound.
//   - doubt() makes the leader answer within kDoubtPatience or lose the session: gossip misses its
//     host long before kSilentPeriods are over.
//   - hurry() ends a long wait: something says that managers can be reached again.
//   - Active: a heartbeat each period; a stream whose leader has not spoken for kSilentPeriods
//     periods, or whose assignments skip a sequence number, is closed and opened anew.
//   - Assignments that come in several messages are delivered when the last is here.
//   - Every stream has a number; what arrives from an older one is ignored.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "worker/session/messages.h"

namespace shoal::worker {

class Session {
 public:
  static constexpr Duration kBackoffMin = std::chrono::milliseconds(100);
  static constexpr Duration kBackoffMax = std::chrono::seconds(8);
  static constexpr Duration kQuickRetry = std::chrono::milliseconds(200);
  // 15 quick tries are 3 s at most: longer than an election, short enough to spare dead managers.
  static constexpr int kQuickTries = 15;
  // From the try to Registered: covers a TLS handshake on a loaded host.
  static constexpr Duration kOpenTimeout = std::chrono::seconds(3);
  static constexpr int kSilentPeriods = 3;
  static constexpr Duration kDoubtPatience = std::chrono::seconds(2);
  // What a leader may ask for; outside it is taken as the nearer bound.
  static constexpr Duration kHeartbeatMin = std::chrono::milliseconds(100);
  static constexpr Duration kHeartbeatMax = std::chrono::seconds(60);
  // Objects listed by the messages of one delivery: ten times what a cluster is built for.
  static constexpr size_t kMaxListed = 1U << 20;
  // Remembered managers; raft groups are far smaller.
  static constexpr size_t kMaxManagers = 64;

  // Inputs, each of one stream.
  using HeartbeatAck = manager::HeartbeatAck;
  struct Closed {
    Error error;
    std::optional<HostPort> leader;  // whom the follower named
    bool quorum_lost = false;        // it says that there can be none now
  };
  using Input = std::variant<Registered, ClusterInfo, Assignments, HeartbeatAck, Closed>;

  // Effects, in order.
  struct OpenStream {  // and send Register as soon as it is open
    uint64_t stream = 0;
    HostPort manager;
  };
  struct CloseStream {
    uint64_t stream = 0;
  };
  struct SendHeartbeat {
    uint64_t stream = 0;
    bool quiet = false;  // needs no answer
  };
  struct DeliverCluster {
    ClusterInfo cluster;
  };
  struct DeliverAssignments {
    Assignments assignments;
  };
  // The session became active or was lost, or a try failed; `error` says why it is not active.
  struct StateChanged {
    bool active = false;
    HostPort manager;
    Error error;
  };
  using Effect = std::variant<OpenStream, CloseStream, SendHeartbeat, DeliverCluster,
                              DeliverAssignments, StateChanged>;

  // `managers` are the remembered ones; `rng` must outlive the session.
  Session(std::vector<HostPort> managers, Rng& rng);

  void start(Instant now);
  // Closes the stream; nothing is tried any more.
  void stop();
  void receive(uint64_t stream, Input input, Instant now);
  void tick(Instant now);
  std::vector<Effect> take_effects();
  Instant next_deadline() const;

  bool active() const { return state_ == State::kActive; }
  // The manager of the active session, else the likeliest leader.
  std::optional<HostPort> leader() const;
  // A unary call was redirected there: try it before the others. Ignored while active.
  void hint_leader(const HostPort& manager, Instant now);
  // The network seems to be back: tries again within kQuickRetry, and quickly from there on.
  void hurry(Instant now);
  // Whoever is at `manager` may be gone.
  void doubt(const HostPort& manager, Instant now);
  // To be remembered on disk.
  const std::vector<HostPort>& managers() const { return managers_; }

 private:
  enum class State { kStopped, kWaiting, kOpening, kActive };

  enum class Why { kFailed, kRedirected, kBereft };

  void open(Instant now);
  void lost(Error error, Instant now, bool redirected = false);
  Duration retry_delay(Why why);
  void close_and_lose(Error error, Instant now);
  Instant silent_at() const;
  void learn_managers(const ClusterInfo& cluster);
  void on(Registered registered, Instant now);
  void on(ClusterInfo cluster, Instant now);
  void on(Assignments assignments, Instant now);
  void on(HeartbeatAck ack, Instant now);
  void on(Closed closed, Instant now);
  Duration jittered(Duration delay);

  Rng& rng_;
  State state_ = State::kStopped;
  std::vector<HostPort> managers_;
  size_t next_manager_ = 0;
  std::optional<HostPort> hint_;
  HostPort current_;
  uint64_t stream_ = 0;
  Duration backoff_ = kBackoffMin;
  int quick_tries_ = 0;                // left since the session was lost
  int redirects_ = 0;                  // followed since the last active session
  Instant deadline_ = Instant::max();  // of waiting or opening
  Duration heartbeat_period_{};
  Instant next_heartbeat_ = Instant::max();
  Instant heard_;                     // when the leader spoke last
  Instant doubted_ = Instant::max();  // until when it must
  uint64_t sequence_ = 0;             // of the last assignments
  Assignments partial_;               // the messages before the one that has no more after it
  std::vector<Effect> effects_;
};

}  // namespace shoal::worker
