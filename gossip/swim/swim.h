// Swim: who is in the cluster, and who of them answers. SWIM (Das et al. 2002) with Lifeguard
// (Dadgar et al. 2018).
//
// A core: receive, tick, take outputs; no clock, socket or thread. What differs from the papers:
//   - Every packet carries its sender's identity, incarnation and address, and so is an alive
//     claim by the sender.
//   - Whoever holds a sender for suspect, failed or left tells it so at once, and it refutes at
//     once: a healed partition is mended in round trips, not in rounds.
//   - Failure is not spread, suspicion is: each node declares a suspect failed by its own timer.
//     A failed claim learnt in an exchange about a member that is alive here only makes this node
//     look again: who was cut off and believes all others failed cannot make others believe it.
//   - A suspicion or failure that was merely heard is passed on in its accuser's name, so that
//     confirmations are independent observations, however often they are told.
//   - Failed members are never dropped: they are pinged for ever, until forget().
//   - Who did not run for a while (a stall) did not listen either: its clocks stood still with it.
//   - Incarnations start at the node's epoch, so a restarted node outranks all old claims.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/ports/ports.h"
#include "base/types/deadlines.h"
#include "gossip/swim/config.h"
#include "gossip/swim/member.h"
#include "gossip/swim/rumors.h"
#include "gossip/swim/suspicion.h"
#include "gossip/wire/seal.h"

namespace shoal::gossip {

class Swim {
 public:
  struct Outgoing {
    HostPort to;
    std::vector<Message> messages;  // none: only what is piggybacked
  };
  struct Change {
    MemberInfo info;
    bool returned = false;  // new or back: it may lack what we have
  };
  struct Counts {
    uint64_t suspicions = 0;
    uint64_t failures = 0;
    uint64_t refutations = 0;
    uint64_t stalls = 0;
  };

  Swim(const SwimConfig& config, const NodeId& self, const HostPort& address, uint64_t incarnation,
       Rng& rng, Instant now);

  // To be called for each packet before its messages; kNone, or why the packet is to be dropped.
  DropReason hear(const Head& head, const HostPort& from, Instant now);
  DropReason receive_ping(const Ping& ping, const HostPort& from);
  void receive_ping_request(const PingRequest& request, const HostPort& from, Instant now);
  void receive_ack(const Ack& ack);
  void receive_nack(const Nack& nack);
  // A rumour, or a claim learnt in an exchange. A refutation goes to `reply_to` at once.
  void receive_claim(const Claim& claim, const HostPort& reply_to, Instant now);

  // At most kMaxSeeds are kept.
  void set_seeds(std::vector<HostPort> seeds, Instant now);
  void forget(const NodeId& id);
  void leave(Instant now);
  bool left(Instant now) const { return leave_done_ && now >= *leave_done_; }

  void tick(Instant now);
  // This process did not run for `lateness` beyond the time it wanted to; before the tick that is
  // so late. What was waited for gets the time it lost, and nobody is accused for one interval.
  void resume(Duration lateness, Instant now);
  Instant next_deadline() const;
  std::vector<Outgoing> take_outgoing() { return std::exchange(outgoing_, {}); }
  std::vector<Change> take_changes() { return std::exchange(changes_, {}); }
  // Adds rumours to a packet that goes to `to` anyway, if a live member is known there: what is
  // told to the dead, to seeds or to a forged source would be lost, and yet count as told. Whether
  // one is.
  bool piggyback(Packer& packer, const HostPort& to);

  Head head() const { return {self_, incarnation_, address_}; }
  const NodeId& self() const { return self_; }
  // Alive or suspect.
  bool is_live(const NodeId& id) const;
  bool is_known(const NodeId& id) const { return members_.contains(id) || id == self_; }
  bool is_forgotten(const NodeId& id) const { return forgotten_.contains(id); }
  size_t live_count() const { return live_.size(); }
  std::optional<HostPort> address_of(const NodeId& id) const;
  std::vector<MemberInfo> members() const;
  const Counts& counts() const { return counts_; }
  // Up to `count` live members, distinct, at random.
  std::vector<NodeId> random_live(size_t count);

  // Digests of all members, this node included. A suspect counts as alive.
  uint64_t digest() const;
  const MemberDigests& digests() const { return digests_; }
  static size_t bucket_of(const NodeId& id);
  // What this node holds of the members of the marked buckets.
  std::vector<Claim> claims_in(const MemberDifference& difference) const;

  static constexpr size_t kMaxSeeds = 64;
  // Ids that stay refused after forget(); older ones make room, as their keys are long rotated out.
  static constexpr size_t kMaxForgotten = 4096;

 private:
  struct Member {
    MemberInfo info;
    uint64_t incarnation = 0;
    std::optional<Suspicion> suspicion;
    NodeId accuser;                  // whose word it is that it is suspect or failed
    Instant accused{INT64_MIN / 2};  // when it was last told
    uint64_t hash = 0;               // its share of the digest
    size_t live_index = 0;           // in live_, when alive or suspect
  };
  struct Probe {
    NodeId target;
    uint32_t number = 0;
    Instant indirect_at;
    Instant end;
    bool indirect_sent = false;
    size_t nacks_expected = 0;
    size_t nacks = 0;
  };
  // A ping on somebody's behalf.
  struct Relay {
    HostPort asker;
    uint32_t asker_number = 0;
  };

  // Claims (swim.cc).
  Member* find(const NodeId& id);
  Member& add_member(const Claim& claim, MemberState state);
  void set_state(Member& member, MemberState state, bool returned);
  void move(Member& member, const HostPort& address);
  void rehash(Member& member);
  void on_alive(Member& member, const Claim& claim, Instant now);
  void on_return(Instant now);
  void on_accusation(Member& member, const Claim& claim, Instant now);
  void recheck(Member& member, const Claim& claim, Instant now);
  void on_left(Member& member, const Claim& claim);
  void declare_failed(Member& member);
  void refute(const Claim& claim, const HostPort& reply_to);
  Claim claim_of(const Member& member) const;
  Claim own_claim() const;
  void spread(const Claim& claim);
  void accuse(Member& member, const HostPort& to, Instant now);
  size_t retransmit_limit() const;
  void expire_suspicions(Instant now);

  // Probing (probe.cc).
  void start_probe(Instant now);
  void send_indirect();
  void finish_probe(Instant now);
  void adjust_awareness(int by);
  Instant probe_deadline() const;
  void gossip_round(Instant now);
  void reconnect_round(Instant now);
  void seed_round(Instant now);
  void expire_relays(Instant now);

  SwimConfig config_;
  NodeId self_;
  HostPort address_;
  uint64_t incarnation_;
  Rng& rng_;

  std::map<NodeId, Member> members_;  // all but self
  std::vector<Member*> live_;         // alive or suspect; pointers into members_, which keeps them
  std::set<std::pair<HostPort, NodeId>> live_at_;
  std::set<NodeId> failed_;
  std::set<NodeId> suspects_;
  Deadlines<NodeId> suspicions_;  // of all suspects
  std::set<NodeId> forgotten_;
  std::vector<NodeId> forgotten_order_;
  MemberDigests digests_;
  Rumors rumors_;

  std::vector<NodeId> probe_order_;  // a shuffled round; then shuffled again
  size_t probe_next_ = 0;
  std::optional<Probe> probe_;
  Instant next_probe_;
  Instant quiet_until_{INT64_MIN / 2};  // after a stall: accuses nobody
  int awareness_ = 0;
  uint32_t next_number_;
  std::map<uint32_t, Relay> relays_;
  Deadlines<uint32_t> relays_end_;

  std::vector<HostPort> seeds_;
  Instant next_seed_;
  Instant next_gossip_;
  Instant last_gossip_{INT64_MIN / 2};
  Instant next_reconnect_;
  NodeId reconnect_next_;
  Instant last_burst_{INT64_MIN / 2};
  Instant ask_all_until_{INT64_MIN / 2};
  std::optional<Instant> leave_done_;

  std::vector<Outgoing> outgoing_;
  std::vector<Change> changes_;
  Counts counts_;
};

}  // namespace shoal::gossip
