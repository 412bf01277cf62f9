// Swim: who is in the cluster, and who of them answers. SWIM (Das et al. 2002) with Lifeguard
// (Dadgar et al. 2018).
//
// A core: receive, tick, take outputs; no clock, socket or thread. What differs from the papers:
//   - Every packet carries its sender's identity, incarnation and address, and so is an alive
//     claim by the sender.
//   - Whoever holds a sender for suspect, failed or left tells it so at once, and it refutes at
//     once: a healed partition is mended in round trips, not in rounds.
//   - Nobody is declared failed on one node's word: a prober asks helpers, all ask by datagram and
//     by stream, and each who finds the member dead is an accuser by name. Whoever hears of a
//     quorum of accusers that are live here declares the member failed when its time is up, and
//     spreads that as a verdict, which others take over on the same condition (accusation.cc).
//   - Nor on others' words only: who has not found the member silent itself looks first. The
//     accusers may be those who are cut off from it.
//   - A daemon that gets no CPU is not dead: its kernel takes connections, and that is no
//     accusation, but a voucher: whoever finds a suspect so says so to all others, which ends the
//     suspicion everywhere. It is told, too, and denies it when it runs again; if it never does,
//     it is as good as silent (stalled.cc).
//   - Who is starved itself, in bad health, or hears nobody, accuses nobody.
//   - Who heard nobody for a while is cut off: it takes all others for failed and keeps that to
//     itself, and asks them until it hears one again.
//   - Failed members are never dropped: they are pinged for ever, until forget().
//   - Who did not run for a while (a stall) did not listen either: its clocks stood still with it.
//   - Incarnations start at the node's epoch, so a restarted node outranks all old claims.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/ports/ports.h"
#include "base/types/deadlines.h"
#include "gossip/swim/config.h"
#include "gossip/swim/member.h"
#include "gossip/swim/roster.h"
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
  // A question over a connection to a member's stream port. Each is answered by
  // finish_tcp_probe().
  struct TcpProbe {
    uint64_t id = 0;
    HostPort to;
    Ping ping;
    std::vector<Claim> claims;  // what the member should know is said of it
  };
  struct Change {
    MemberInfo info;
    bool returned = false;  // new or back: it may lack what we have
    bool started = false;   // known from an earlier life
  };
  struct Counts {
    uint64_t suspicions = 0;
    uint64_t failures = 0;
    uint64_t refutations = 0;
    uint64_t stalls = 0;
    uint64_t lapses = 0;      // suspicions that found no quorum
    uint64_t isolations = 0;  // times this node found itself cut off
  };

  Swim(const SwimConfig& config, const NodeId& self, const HostPort& address, uint64_t incarnation,
       Rng& rng, Instant now);

  // To be called for each packet before its messages; kNone, or why the packet is to be dropped.
  DropReason hear(const Head& head, const HostPort& from, Instant now);
  DropReason receive_ping(const Ping& ping, const HostPort& from);
  void receive_ping_request(const PingRequest& request, const HostPort& from, Instant now);
  void receive_ack(const NodeId& from, const Ack& ack);
  void receive_testimony(const NodeId& from, const Testimony& testimony);
  // A refutation goes to `reply_to` at once. News are what came in a datagram; what an exchange
  // brings may be old, and is no reason to declare anybody failed that is live here.
  void receive_claim(const Claim& claim, const HostPort& reply_to, bool news, Instant now);
  // kAnswers only for a packet that was heard and acks the ping as the member that was asked.
  bool acks_tcp(uint64_t id, const NodeId& sender, const Ack& ack) const;
  void finish_tcp_probe(uint64_t id, Reach reach, Instant now);

  // A claim out of many: a member heard of for the first time is no news to the others.
  void learn(const Claim& claim, const HostPort& reply_to, Instant now);

  // What meeting these would bring, all of them live, for one that knows nobody yet. Or what
  // another one knows that restored so; what they know in common is there once.
  void restore(std::span<const Claim> members);
  void restore(const Swim& image);

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
  std::vector<TcpProbe> take_tcp_probes() { return std::exchange(tcp_outgoing_, {}); }
  std::vector<Change> take_changes() { return std::exchange(changes_, {}); }
  // Adds rumours to a packet that goes to `to` anyway, if a live member is known there: what is
  // told to the dead, to seeds or to a forged source would be lost, and yet count as told. Whether
  // one is.
  bool piggyback(Packer& packer, const HostPort& to);

  // Whether lately a live member was not to be reached from here: who could not be probed could
  // not be told either, without that anybody failed.
  bool strained(Instant now) const { return now < strained_until_; }
  // Members that were not to be reached, and spoke since the last call.
  std::vector<NodeId> take_reached() { return std::exchange(reached_, {}); }

  uint64_t incarnation() const { return incarnation_; }
  Head head() const { return {self_, incarnation_, address_}; }
  const NodeId& self() const { return self_; }
  // Alive or suspect.
  bool is_live(const NodeId& id) const;
  bool is_known(const NodeId& id) const { return members_.contains(id) || id == self_; }
  bool is_forgotten(const NodeId& id) const { return forgotten_.contains(id); }
  size_t live_count() const { return live_.size(); }
  std::optional<HostPort> address_of(const NodeId& id) const;
  // The life a member is known in; nobody when it is not known.
  Peer peer(const NodeId& id) const;
  // Of the live members that say to be at an address, the one that started last.
  Peer live_at(const HostPort& address) const;
  // What is held of a member, if it is newer than what is said to be.
  std::optional<Claim> correction(const Head& said) const;
  std::vector<MemberInfo> members() const;
  const Counts& counts() const { return counts_; }
  // Up to `count` live members, distinct, at random.
  std::vector<NodeId> random_live(size_t count);
  // Addresses of up to `count` live members, the same ones as long as they are live.
  std::vector<HostPort> remembered(size_t count) const;

  // Digests of all members, this node included. A suspect counts as alive.
  uint64_t digest() const;
  const MemberDigests& digests() const { return digests_; }
  static size_t bucket_of(const NodeId& id);
  // What this node holds of the members of the marked buckets.
  std::vector<Claim> claims_in(const MemberDifference& difference) const;

  static constexpr size_t kMaxSeeds = 128;
  // Ids that stay refused after forget(); older ones make room, as their keys are long rotated out.
  static constexpr size_t kMaxForgotten = 4096;

 private:
  struct Member {
    MemberInfo info;
    uint64_t incarnation = 0;
    std::optional<Suspicion> suspicion;
    std::vector<NodeId> verdict;           // by whose word it failed
    Instant heard{INT64_MIN / 2};          // the last packet of this incarnation
    Instant accused{INT64_MIN / 2};        // when it was last told
    Instant stalled_until{INT64_MIN / 2};  // not accused before
    Instant found_stalled{INT64_MIN / 2};  // by this node itself
    Instant vouched{INT64_MIN / 2};        // when others were last told that it is stalled
    Instant watched{INT64_MIN / 2};        // since when this node looks whether it goes on so
    std::optional<Instant> stalled;        // since when all know, and it has not denied it
    uint64_t hash = 0;                     // its share of the digest
    Instant looked{INT64_MIN / 2};         // when this node last went to see whether it is there
    uint32_t look = 0;                     // by this ping
    bool answered = false;                 // it was
    bool condemned = false;                // suspected by a verdict: it had its time elsewhere
    bool unreached = false;                // by this node's last probe of it, and not heard since
  };
  struct Probe {
    NodeId target;
    uint32_t number = 0;
    Instant indirect_at;
    Instant end;
    bool indirect_sent = false;
    std::vector<NodeId> asked;     // that have not spoken yet
    size_t helpers = 0;            // that were asked
    uint64_t tcp = 0;              // its connection; 0: none
    std::optional<Reach> reach;    // what became of it
    std::vector<NodeId> accusers;  // helpers that found it dead
    bool stalled = false;          // a helper found it so
  };
  // A probe on somebody's behalf.
  struct Relay {
    HostPort asker;
    uint32_t asker_number = 0;
    NodeId target;
    std::optional<Reach> reach;
  };
  // To a member's stream port: for this node's probe, for a relay, or only to see whether its
  // kernel lives.
  enum class Purpose : uint8_t { kProbe, kRelay, kLook };
  struct Connection {
    NodeId target;
    uint32_t number = 0;  // of the ping
    Purpose purpose = Purpose::kProbe;
  };

  // Claims (swim.cc).
  Member* find(const NodeId& id) { return members_.edit(id); }
  // To be preferred where nothing is changed (roster.h).
  const Member* peek(const NodeId& id) const { return members_.find(id); }
  Member& add_member(const Claim& claim, MemberState state);
  void set_state(Member& member, MemberState state, bool returned);
  void move(Member& member, const HostPort& address);
  void rehash(Member& member);
  void on_alive(Member& member, const Claim& claim, Instant now);
  void on_return(Instant now);
  void on_left(Member& member, const Claim& claim);
  void renew(Member& member, const Claim& claim);
  void refute(const Claim& claim, const HostPort& reply_to);
  Claim claim_of(const Member& member) const;
  Claim own_claim() const;
  void spread(const Claim& claim);
  size_t retransmit_limit() const;

  // Who is dead (accusation.cc).
  void accuse(Member& member, const HostPort& to, Instant now);
  void on_accusation(Member& member, const Claim& claim, const HostPort& reply_to, bool news,
                     Instant now);
  void correct(Member& member, const HostPort& reply_to, Instant now);
  void recheck(Member& member, const Claim& claim, Instant now);
  void start_suspicion(Member& member, Instant now);
  void end_suspicion(Member& member);
  void lapse(Member& member);
  void judge(Member& member, Instant now);
  Instant look_first(Member& member, Instant due, Instant now);
  void declare_failed(Member& member, std::vector<NodeId> accusers, bool spread_it);
  void expire_suspicions(Instant now);
  bool solid(const Member& member) const;
  bool is_witness(const NodeId& id) const;
  size_t witnesses(std::span<const NodeId> accusers) const;
  std::vector<NodeId> voices_of(const Suspicion& suspicion, size_t most) const;
  size_t needed(const Member& member, Instant now);
  bool may_judge(Instant now) const;
  Instant isolation_deadline() const;
  void check_isolation(Instant now);
  void end_isolation(Instant now);

  // Who is stalled (stalled.cc).
  bool note_stalled(Member& member, Instant now);
  bool is_stalled(const Member& member, Instant now) const { return member.stalled_until > now; }
  bool is_given_up(const Member& member, Instant now) const {
    return member.stalled && now - *member.stalled > config_.stalled_fuse;
  }
  bool is_accused(const Member& member) const { return member.suspicion || member.stalled; }
  void hold(Member& member, Instant now);
  void vouch(Member& member, Instant now);
  void on_stalled(Member& member, const Claim& claim, const HostPort& reply_to, bool news,
                  Instant now);
  void defend(Member& member, const HostPort& reply_to, Instant now);
  void note_heard(Member& member, Instant now);
  void end_stall(Member& member);
  void watch(Member& member, Instant now);
  void look_again(Instant now);
  void look(Member& member, Instant now);
  void finish_look(const NodeId& id, Reach reach, Instant now);

  // Probing (probe.cc).
  void start_probe(Instant now);
  void send_indirect(Instant now);
  std::vector<const Member*> random_helpers(Instant now);
  Instant free_probe() const;
  bool is_waiting() const;
  void finish_probe(Instant now);
  NodeId take_doubtful();
  NodeId take_in_order();
  uint64_t start_tcp(const NodeId& target, const HostPort& to, uint32_t number, Purpose purpose);
  void adjust_awareness(int by);
  Instant probe_deadline() const;
  void note_unreached(const NodeId& id, Instant now);
  void finish_relay(uint32_t number, Reach reach);
  void finish_relays(Instant now);
  // Rounds (rounds.cc).
  void gossip_round(Instant now);
  void reconnect_round(Instant now);
  void remind(const Member& member);
  void seed_round(Instant now);

  SwimConfig config_;
  NodeId self_;
  HostPort address_;
  uint64_t incarnation_;
  Rng& rng_;

  Roster<Member> members_;  // all but self
  Live live_;               // alive or suspect
  std::set<NodeId> failed_;
  std::set<NodeId> suspects_;
  size_t solid_ = 0;              // suspects on more than one other's word
  Deadlines<NodeId> suspicions_;  // when a suspect is judged next
  std::set<NodeId> stalled_;      // some no longer
  Deadlines<NodeId> watches_;     // when a stalled one is looked at again
  std::set<NodeId> forgotten_;
  std::vector<NodeId> forgotten_order_;
  MemberDigests digests_;
  Rumors rumors_;

  std::vector<Slot> probe_order_;  // a shuffled round; then shuffled again
  size_t probe_next_ = 0;
  std::set<NodeId> doubtful_;  // to be probed before it is their turn
  NodeId doubtful_last_;
  Instant next_doubtful_{INT64_MIN / 2};
  std::optional<Probe> probe_;
  Instant next_probe_;
  Instant quiet_until_{INT64_MIN / 2};  // after a stall: accuses nobody
  Instant last_heard_;                  // of anybody, and while there is nobody
  Instant strained_until_{INT64_MIN / 2};
  bool isolated_ = false;
  std::optional<Instant> isolation_end_;  // when all are taken for failed
  int awareness_ = 0;
  uint32_t next_number_;
  std::map<uint32_t, Relay> relays_;
  Deadlines<uint32_t> relays_end_;
  uint64_t next_tcp_ = 1;
  std::map<uint64_t, Connection> tcp_;  // under way

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
  std::vector<TcpProbe> tcp_outgoing_;
  std::vector<Change> changes_;
  std::vector<NodeId> reached_;
  Counts counts_;
};

}  // namespace shoal::gossip
