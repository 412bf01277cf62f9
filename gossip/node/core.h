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

#include <map>
#include <set>

#include "gossip/node/counters.h"
#include "gossip/node/spread.h"
#include "gossip/swim/swim.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {

struct CoreConfig {
  NodeId self;
  HostPort address;
  uint64_t epoch = 0;
  size_t packet_budget = 1400;
  SwimConfig swim;
  TableConfig table;
  SpreadConfig spread;
};

struct Effects {
  struct Datagram {
    HostPort to;
    Bytes plain;
  };
  struct Exchange {
    uint64_t id = 0;
    HostPort to;
    Bytes plain;
  };
  std::vector<Datagram> datagrams;
  std::vector<Exchange> exchanges;  // each is answered by finish_exchange(), soon or with nothing
  std::vector<Tables::Event> entries;
  std::vector<MemberInfo> members;
  bool left = false;  // the good-bye has been said
};

class Core : private Spread::Audience {
 public:
  Core(const CoreConfig& config, Rng& rng, Instant now);

  void receive_packet(const HostPort& from, ByteView plain, Instant now);
  // The answer to a question, empty when it deserves none.
  Bytes answer_exchange(ByteView plain, Instant now);
  void finish_exchange(uint64_t id, const std::optional<ByteView>& answer, Instant now);

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

  // What one peer is to be asked for.
  struct Pending {
    Instant due;
    bool members = false;
    std::map<NetworkId, uint64_t> networks;  // with the digest the peer claimed, or 0
  };
  struct InFlight {
    NodeId peer;
    std::set<NetworkId> networks;
    bool push = false;  // the second half: the peer gets what it wanted
  };

  // Packets (core.cc).
  void receive_message(const Head& head, const HostPort& from, const Message& message, Instant now);
  // `news`: nothing when it is not worth being told to others.
  void receive_entry(const EntryEvent& event, std::optional<Spread::News> news, Instant now);
  void settle(Instant now);
  void tell(const EntryEvent& event, Spread::News news);
  void push_own_events();
  void spread(Instant now);
  std::vector<NodeId> targets(const NetworkId& network, size_t count);
  size_t network_size(const NetworkId& network) const;
  void send(const HostPort& to, const std::vector<Message>& messages);
  void emit(const HostPort& to, Packer& packer, bool even_empty);
  size_t plain_budget() const { return config_.packet_budget - kSealOverhead; }
  size_t audience(const NetworkId& network) const override { return network_size(network); }
  std::vector<NodeId> sample(const NetworkId& network, size_t count) override {
    return targets(network, count);
  }
  std::optional<Bytes> preface(const NetworkId& network) const override;

  // Anti-entropy (exchange.cc).
  void greet_peers();
  void digest_round(Instant now);
  void send_digest(const NodeId& to, const std::set<NetworkId>& networks);
  void receive_digest(const NodeId& from, const Digest& digest, Instant now);
  void want_sync(const NodeId& peer, const std::set<NetworkId>& networks, bool members,
                 Instant due);
  void sync_unsynced(Instant now);
  void repair_gaps(Instant now);
  void start_exchanges(Instant now);
  void start_exchange(const NodeId& peer, const Pending& pending);
  void push_wanted(const InFlight& asked, const std::vector<Message>& messages);

  CoreConfig config_;
  Rng& rng_;
  Swim swim_;
  Tables tables_;

  Spread spread_;
  Deadlines<NetworkId> recent_joins_;  // until when own events carry the joining along

  Instant now_;
  Instant wake_due_ = Instant::max();  // when the next tick should come at the latest
  Instant next_digests_;
  std::map<NodeId, Pending> pending_;
  std::map<uint64_t, InFlight> in_flight_;
  uint64_t next_exchange_ = 1;
  Deadlines<NetworkId> unsynced_;  // joined, nothing asked yet successfully; next try
  bool members_unsynced_ = true;

  bool left_told_ = false;
  Effects effects_;
  Counters counters_;
};

}  // namespace shoal::gossip
