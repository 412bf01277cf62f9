// Dispatcher: the leader's sessions with the nodes, as a function of (state, input, now).
//
// A node opens a stream and registers; it gets Registered, ClusterInfo, a complete Assignments, and
// then each change as it is applied. Nothing is queued for a slow stream: a session remembers which
// objects changed while a batch was under way, and the next batch carries their state at that
// time. So memory per session is bounded by the number of objects, and a worker that comes back
// into the flow gets one batch.
//
// A node is ready from its registration on and down three heartbeat periods after it was last
// heard. After a change of leader nodes said to be ready are unknown for twice that time: they have
// to find the new leader first. "Unknown" is this dispatcher's view and is not stored: a change of
// leader writes nothing.
//
// What all sessions are told alike is collected once and shared; a session that was busy then
// remembers for itself what it missed. Lists come in messages of kMaxListed objects.
//
// Contract with the server: for each `send` write its messages in order, then call written(); for
// each `close` end the stream; propose each of `commands`, ignoring the outcome (what was not
// applied is asked for again). `store` is read only inside calls. One owner; no thread rule inside.
//
// A node that never registered is the rest of a join that was given up or killed: it is removed
// when its first deadline is over, which is later than any joiner waits.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/ports/ports.h"
#include "base/types/result.h"
#include "manager/dispatcher/session_messages.h"
#include "manager/model/command.h"
#include "manager/store/store.h"

namespace shoal::manager {

// A node is down after so many heartbeat periods without one.
inline constexpr int kMissedHeartbeats = 3;
// After a change of leader the grace is longer by this factor.
inline constexpr int kNewLeaderFactor = 2;
// A batch that a stream does not take in so many periods: the worker is stuck and shall reconnect.
inline constexpr int kSlowStreamPeriods = 4;
// A command whose effect did not show is proposed again after this.
inline constexpr Duration kProposeAgain = std::chrono::seconds(5);
// Streams that have not registered yet; a node registers at once after it connects.
inline constexpr size_t kMaxUnregistered = 4096;
inline constexpr Duration kRegisterWithin = std::chrono::seconds(10);
// Addresses of other nodes in ClusterInfo, enough to find the gossip group when managers are away.
inline constexpr size_t kMaxExtraSeeds = 8;
inline constexpr size_t kMaxRemovedNodesTold = 256;
// Objects of one message: networks with as many labels and options as they may have are below
// 150 KiB each, and a worker takes messages of 16 MiB.
inline constexpr size_t kMaxListed = 64;
// Everything is listed once for the sessions that are opened within this.
inline constexpr Duration kKeepComplete = std::chrono::seconds(2);

using StreamId = uint64_t;  // given by the server, never reused by it

class Dispatcher {
 public:
  struct Send {
    StreamId stream = 0;
    std::vector<Told> messages;
  };
  struct Close {
    StreamId stream = 0;
    Error reason;
    bool stuck = false;  // do not wait for the write under way
  };
  struct Effects {
    std::vector<Send> send;
    std::vector<Close> close;
    std::vector<Operation> commands;
    bool empty() const { return send.empty() && close.empty() && commands.empty(); }
  };

  Dispatcher(const Store& store, Rng& rng) : store_(store), rng_(rng) {}

  void become_leader(Instant now);
  // Closes every stream with `reason`.
  void step_down(const Error& reason);
  bool leading() const { return leading_; }

  // Inputs from streams.
  void opened(StreamId stream, const NodeId& node, Instant now);
  void registered(StreamId stream, NodeDescription description, NodeAddresses addresses,
                  Instant now);
  // What the node says of itself has changed.
  void described(StreamId stream, NodeDescription description, Instant now);
  void heartbeat(StreamId stream, Instant now);
  // It lived at `when`, and wants no answer. Before tick() of a time that a deadline has reached.
  void heard(StreamId stream, Instant when);
  void written(StreamId stream, Instant now);
  void closed(StreamId stream, Instant now);

  // After the store applied them.
  void applied(const std::vector<Change>& changes, Instant now);
  // After the store was replaced by a snapshot.
  void store_replaced(Instant now);

  void tick(Instant now);
  Effects take_effects(Instant now);
  Instant next_deadline() const;

  // kUnknown while a node said to be ready has not been heard by this leader.
  NodeState state_of(const Node& node) const;
  size_t session_count() const { return by_node_.size(); }

 private:
  struct Session {
    NodeId node;
    bool registered = false;
    Instant register_by;
    bool writing = false;
    Instant write_started;
    bool greet = false;  // Registered and a complete Assignments are due
    bool cluster_dirty = false;
    bool ack_due = false;
    uint64_t sequence = 0;
    std::set<EndpointId> endpoints;
    std::set<NetworkId> networks;  // missed while a batch was under way
    std::set<NodeId> nodes;
    bool missed() const { return !networks.empty() || !nodes.empty(); }
    bool due() const { return greet || cluster_dirty || ack_due || missed() || !endpoints.empty(); }
  };
  // What this leader knows of one node of the store.
  struct Health {
    std::optional<StreamId> stream;
    bool heard = false;  // by this leader
    Instant deadline;    // down when reached
    bool expired = false;
    std::optional<NodeDescription> description;  // as registered
    std::optional<NodeAddresses> addresses;
    Instant propose_after;  // not before, for a wish that was proposed already
    bool proposed = false;
  };
  // What all nodes are told of one node.
  struct PublicNode {
    std::string hostname;
    NodeAddresses addresses;
    Role role = Role::kWorker;
    uint64_t raft_id = 0;
    friend bool operator==(const PublicNode&, const PublicNode&) = default;
  };

  Duration period() const;
  void refresh_deadline(const NodeId& id, Health& health, Instant deadline);
  void watch(const Node& node, Instant now);
  void note_change(const Change& change, Instant now);
  void note_node(const Node& node, bool removed, Instant now);
  void refresh_common();
  void close(StreamId stream, Error reason, bool stuck = false);
  void forget_stream(StreamId stream);
  std::optional<Operation> wish(const Node& node, const Health& health) const;
  void propose_wishes(Instant now);
  void begin_round();
  std::vector<Told> batch(Session& session, Instant now);
  std::vector<Told> assignments_for(const Session& session, Instant now);
  std::vector<SharedNews> news_of(const std::set<NetworkId>& networks,
                                  const std::set<NodeId>& nodes) const;
  const std::vector<SharedNews>& everything(Instant now);
  std::vector<Assignments> endpoints_of(const NodeId& node) const;
  std::vector<Assignments> changed_endpoints_of(const Session& session) const;
  ClusterInfo info_for(const NodeId& node) const;
  static PublicNode public_part(const Node& node);

  const Store& store_;
  Rng& rng_;
  bool leading_ = false;
  std::unordered_map<StreamId, Session> sessions_;
  std::unordered_map<NodeId, StreamId> by_node_;  // registered
  std::map<NodeId, Health> health_;
  std::set<std::pair<Instant, NodeId>> deadlines_;  // of nodes not expired
  std::set<NodeId> wishes_;                         // nodes to compare with the store
  std::set<StreamId> dirty_;                        // sessions with something due and not writing
  std::set<StreamId> writing_;
  std::set<std::pair<Instant, StreamId>> unregistered_;  // by when they have to
  std::map<NodeId, PublicNode> public_;
  ClusterInfo common_;  // without `node`
  bool common_stale_ = false;
  std::set<NetworkId> networks_changed_;  // since the last round, and told to all
  std::set<NodeId> nodes_changed_;
  std::vector<SharedNews> round_;  // what changed, while batches are made
  std::vector<SharedNews> everything_;
  Instant everything_until_;
  std::vector<Close> closes_;
};

}  // namespace shoal::manager
