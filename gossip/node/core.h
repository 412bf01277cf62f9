// Core: one node's gossip as a function of what arrives and what time it is. The daemon's driver
// and the simulator run the same one.
//
//   receive_packet / answer_exchange / finish_exchange / own doings   in
//   tick(now)                                                         time
//   take_effects()                                                    out: packets, exchanges,
//                                                                     events for the observer
//
// After any input: tick(now), then take_effects(), then wake at next_deadline(). A tick that comes
// much later than that is taken for a stall of the process (swim.h); all that waits to be received
// should be handed over before it.
//
// Datagrams carry what is small and urgent. An exchange is a question and its answer over a
// stream, for what may be large: an answer is computed by answer_exchange() at once, and the asker
// gets it, or nothing, by finish_exchange(). Packets here are plain; sealing is the shell's.
//
// How an event travels: spread.h; then digests find what is still missing.
#pragma once

#include <array>
#include <map>
#include <set>

#include "gossip/node/counters.h"
#include "gossip/node/path_probe.h"
#include "gossip/node/spread.h"
#include "gossip/swim/swim.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {

struct CoreConfig {
  NodeId self;
  HostPort address;
  uint64_t epoch = 0;
  // The largest datagram the link carries, sealed, without IP and UDP headers.
  size_t packet_budget = kSafeDatagram;
  SwimConfig swim;
  TableConfig table;
  SpreadConfig spread;
};

struct Effects {
  struct Datagram {
    HostPort to;
    Peer peer;  // whom it is for; nobody in particular: open
    Bytes plain;
  };
  struct Exchange {
    uint64_t id = 0;
    HostPort to;
    Peer peer;
    Bytes plain;
  };
  // Asks over a connection whether a member is there; swim's tcp_timeout from the start it is
  // decided what became of it.
  struct TcpProbe {
    uint64_t id = 0;
    HostPort to;
    Peer peer;
    Bytes plain;  // one question, as an exchange's
  };
  std::vector<Datagram> datagrams;
  std::vector<Exchange> exchanges;   // each is answered by finish_exchange(), soon or with nothing
  std::vector<TcpProbe> tcp_probes;  // each is answered by finish_tcp_probe()
  std::vector<Tables::Event> entries;
  std::vector<MemberInfo> members;
  bool left = false;  // the good-bye has been said
};

class Core : private Spread::Audience {
 public:
  Core(const CoreConfig& config, Rng& rng, Instant now);

  void receive_packet(const HostPort& from, ByteView plain, Instant now);
  // One that was sealed to nobody in particular: it is answered, to its sender in the life it
  // claims, and changes nothing here.
  void receive_open(const HostPort& from, ByteView plain, Instant now);
  // Something came from there that was for an earlier life of this node, or leaves out what is not
  // known here: whoever sent it is told, openly, who this is. At most kMaxCalls in a second;
  // nothing is allocated before the effects are taken.
  void call(const HostPort& to, Instant now);
  // The answer to a question, empty when it deserves none.
  Bytes answer_exchange(ByteView plain, Instant now);
  void finish_exchange(uint64_t id, const std::optional<ByteView>& answer, Instant now);

  // What became of a connection: kAnswers with the answer, kStalled when it was taken and nothing
  // came, kRefused when it was not taken or closed without an answer, or kSilent.
  void finish_tcp_probe(uint64_t id, Reach reach, const std::optional<ByteView>& answer,
                        Instant now);

  // What meeting the others would bring, at once: they know of this node and of all it said so far,
  // it knows of them and of what they say in the directory and in its networks. For a core that has
  // sent nothing yet.
  void restore(const std::vector<Claim>& members, const std::vector<EntryEvent>& entries,
               Instant now);
  // The same, as a bystander restored so knows it, whose pool is this one's and who is in all
  // networks: what they know in common is there once.
  void restore(const Core& image, Instant now);

  // Whether what is for `peer` is for this node in this life.
  bool is_self(const Peer& peer) const;
  // As others know it.
  uint64_t epoch() const { return epoch_of(swim_.incarnation()); }

  // The host refused to send a datagram of this node for its size.
  void too_large(Instant now) { path_.too_large(now); }

  // So many calls cost less than the probes of this node.
  static constexpr size_t kMaxCalls = 16;

  void set_seeds(std::vector<HostPort> seeds, Instant now);
  void join_network(const NetworkId& network, Instant now);
  void leave_network(const NetworkId& network);
  Status upsert(const NetworkId& network, const std::string& key, Bytes value);
  void remove(const NetworkId& network, const std::string& key);
  void forget(const NodeId& node, Instant now);
  void leave(Instant now);

  void tick(Instant now);
  Effects take_effects(Instant now);
  Instant next_deadline() const;

  const Swim& swim() const { return swim_; }
  const Tables& tables() const { return tables_; }
  std::vector<MemberInfo> members() const { return swim_.members(); }
  Counters counters() const;
  void count_drop(DropReason reason) { ++counters_.dropped[static_cast<size_t>(reason)]; }

 private:
  // Exchanges in flight: a storm of digests after a healing is served in turn.
  static constexpr size_t kMaxInFlight = 4;
  // Of one step of a reconciliation over a stream: some thousand entries, read and taken in a few
  // milliseconds.
  static constexpr size_t kSliceBudget = 128U << 10;

  // What one peer is to be asked for.
  struct Pending {
    Instant due;
    bool members = false;
    uint64_t members_digest = 0;             // as the peer claimed, or 0
    std::map<NetworkId, uint64_t> networks;  // likewise
  };
  struct InFlight {
    enum class What : uint8_t {
      kMembers,  // asked for; then its networks are reconciled
      kPush,     // what the peer wanted; nothing follows
      kSync,     // a question of syncing_
    };
    What what = What::kMembers;
    NodeId peer;
    std::set<NetworkId> networks;
  };
  // Networks that are being reconciled with a peer. One question is out at a time; small ones are
  // datagrams, sent again when no answer comes.
  struct Syncing {
    struct Network {
      merkle::Session session;
      std::optional<merkle::Message> question;  // not answered yet
    };
    std::map<NetworkId, Network> networks;
    uint32_t number = 0;
    bool streams = false;
    size_t rounds = 0;
    size_t tries = 0;
    Bytes plain;
    Instant again = Instant::max();
  };

  // Packets (core.cc).
  void receive_message(const Head& head, const HostPort& from, const Message& message, Instant now);
  void receive_entry(const EntryEvent& event, Instant now);
  void settle(Instant now);
  void restored();
  void tell(const EntryEvent& event, Spread::News news);
  void push_own_events();
  void spread(Instant now);
  std::vector<NodeId> targets(const NetworkId& network, size_t count);
  size_t network_size(const NetworkId& network) const;
  void send(const HostPort& to, const std::vector<Message>& messages);
  // `echo`: tags of recent events may go along; who is sent events has these.
  void emit(const HostPort& to, Packer& packer, bool even_empty, bool echo);
  size_t audience(const NetworkId& network) const override { return network_size(network); }
  std::vector<NodeId> sample(const NetworkId& network, size_t count) override {
    return targets(network, count);
  }
  std::optional<Bytes> preface(const NetworkId& network) const override;
  Peer peer_at(const HostPort& address) const;
  size_t plain_budget() const { return path_.budget() - kSealOverhead; }
  void probe_path(Instant now);

  // Probes over streams (stream_probe.cc).
  void start_tcp_probes();
  Bytes answer_probe(const Packet& question, const Ping& ping, Instant now);

  // Anti-entropy (exchange.cc).
  void greet_peers();
  void digest_round(Instant now);
  void send_digest(const NodeId& to, const std::set<NetworkId>& networks);
  void send_shared_digest(const NodeId& to, const std::vector<NetworkId>& shared, size_t parts);
  std::vector<uint64_t> shared_parts(const std::vector<NetworkId>& shared, size_t parts) const;
  void receive_digest(const NodeId& from, const Digest& digest, Instant now);
  void receive_shared_digest(const NodeId& from, const SharedDigest& digest, Instant now);
  void want_sync(const NodeId& peer, const std::set<NetworkId>& networks, bool members,
                 Instant due);
  void sync_unsynced(Instant now);
  void repair_gaps(Instant now);
  bool members_differ(const NodeId& from, uint64_t members);
  void compare_started(Instant now);
  void compare_reached(Instant now);
  void start_exchanges(Instant now);
  void ask_for_members(const NodeId& peer, const Pending& pending);
  void push_members(const NodeId& peer, const std::vector<Message>& messages);
  bool may_start() const {
    return in_flight_.size() < kMaxInFlight && syncing_.size() < kMaxInFlight;
  }

  // Reconciliation (sync.cc).
  void begin_sync(const NodeId& peer, const std::set<NetworkId>& networks, Instant now);
  void step_sync(const NodeId& peer, Instant now);
  void send_sync(const NodeId& peer, Syncing& syncing, Instant now);
  void say_last(const NodeId& peer, const Sync& last);
  void repeat_syncs(Instant now);
  void end_sync(const NodeId& peer);
  void receive_sync(const Head& head, const Sync& sync, Instant now);
  void receive_sync_answer(const NodeId& from, const Sync& answer, Instant now);
  Sync answer_sync(const Sync& question, size_t budget, Instant now);
  void pass_on_news(Instant now);

  CoreConfig config_;
  Rng& rng_;
  Swim swim_;
  Tables tables_;

  Spread spread_;
  Deadlines<NetworkId> recent_joins_;  // until when own events carry the joining along

  PathProbe path_;
  std::map<HostPort, Peer> heard_;           // who sent from where, since the last effects
  std::array<HostPort, kMaxCalls> callers_;  // to be told who this is
  size_t callers_count_ = 0;
  Instant calls_since_{INT64_MIN / 2};
  size_t calls_ = 0;

  Instant now_;
  Instant wake_due_ = Instant::max();  // when the next tick should come at the latest
  Instant next_digests_;
  Instant next_reached_{INT64_MIN / 2};
  std::map<NodeId, Pending> pending_;
  std::optional<NetworkId> digests_from_;  // where the last round ended, if it left something out
  std::map<uint64_t, InFlight> in_flight_;
  uint64_t next_exchange_ = 1;
  std::map<NodeId, Syncing> syncing_;
  uint32_t next_sync_ = 1;
  Deadlines<NetworkId> unsynced_;  // joined, nothing asked yet successfully; next try
  bool members_unsynced_ = true;
  Deadlines<NodeId> started_;  // a moment ago; until when they have time to learn of all members
  std::set<NodeId> lagging_;   // of these, that had not

  bool left_told_ = false;
  Effects effects_;
  Counters counters_;
};

}  // namespace shoal::gossip
