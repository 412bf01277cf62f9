// Spread: how an event travels, from its owner and onwards.
//
//   small network   the owner sends it to every peer at once, and a moment later the event's tag
//                   (Have), so that who lost the one learns of it by the other.
//   large network   who hears of an event first sends it to F peers at random, once ("infect and
//                   die"); later, twice, its tag to L/2 more. F = L = 3/4 ln n: the copies reach
//                   all but a few in a thousand, the tags, of 4 bytes, find these. Under load F is
//                   4, and tags, which share packets then, are told a third time: whom all Haves of
//                   a moment missed would lack each event of it with no copy.
//
// In both, whoever got it adds the tag to the next few packets it sends anyway (its probes). Who
// lacks what a tag stands for asks its sender for it (Pull). What even this misses is found by
// holes in sequences and by digests, elsewhere.
//
// Events wait for company (SendQueue): none when little happens, then a flush interval, and when
// packets are many, until a packet is full. Packets and bytes have a rate each. What is queued,
// remembered, announced and asked for is bounded; the oldest go.
//
// A core: told of time, never asking for it. It says to whom what goes, the caller has the
// addresses and the packets.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/types/deadlines.h"
#include "gossip/node/recent_events.h"
#include "gossip/node/send_queue.h"
#include "gossip/node/token_bucket.h"
#include "gossip/wire/codec.h"

namespace shoal::gossip {

struct SpreadConfig {
  // Networks up to this size are small: what an event costs its owner is still less than what
  // relays would cost together.
  size_t direct_peers = 32;
  // An event waits this long for company: a joining, for what is in the network.
  Duration company = std::chrono::milliseconds(1);
  // Between two flushes, so that what comes in bursts shares packets.
  Duration flush_interval = std::chrono::milliseconds(5);
  // Packets of events per second before an event waits for its packet to be full, at most
  // `loaded_interval`. A packet costs about as much as ten events in it.
  double packet_rate = 200;
  double packet_burst = 64;
  Duration loaded_interval = std::chrono::milliseconds(50);
  // Bytes of events per second, 32 Mbit: beyond it they wait in the queue.
  double byte_rate = 4U << 20;
  double byte_burst = 1U << 20;
  // Bytes of own, and of relayed, events that wait. Tables larger than this travel by exchanges.
  size_t max_queue = 256U << 10;
  // From an event until its tag is told, and told again: most copies have arrived by then.
  Duration have_delay = std::chrono::milliseconds(100);
  Duration have_interval = std::chrono::milliseconds(200);
  // An announced event may be on its way: it is asked for after this, and of another one after
  // `pull_retry`.
  Duration pull_delay = std::chrono::milliseconds(20);
  Duration pull_retry = std::chrono::milliseconds(100);
  // How long an event is kept to be pulled, and its tag is known: tags are told for a second after
  // the event came, which may be half a second later elsewhere.
  Duration keep_event = std::chrono::milliseconds(1500);
  Duration keep_tag = std::chrono::milliseconds(3000);
};

// F and L for a network of this many peers.
size_t spread_fanout(size_t peers);

class Spread : public Seen {
 public:
  // Who there is to tell.
  class Audience {
   public:
    virtual size_t audience(const NetworkId& network) const = 0;
    // Up to `count` of them, distinct, at random.
    virtual std::vector<NodeId> sample(const NetworkId& network, size_t count) = 0;
    // What own events of a network need before them to be understood; encoded.
    virtual std::optional<Bytes> preface(const NetworkId& network) const = 0;

   protected:
    ~Audience() = default;
  };
  enum class News : uint8_t {
    kOwn,     // of this node
    kHeard,   // came as a packet: in a small network, from its owner to all
    kLearnt,  // came out of an exchange: perhaps nobody else has heard of it
  };
  struct Outgoing {
    std::vector<NodeId> to;
    std::vector<SharedBytes> messages;
  };
  struct Counts {
    uint64_t overflowed = 0;  // events that made room in the queue before they were sent
    uint64_t copies = 0;      // events received that were known
    uint64_t pulls = 0;       // events asked for
    uint64_t unserved = 0;    // events asked for that were not here any more, or too much at once
  };

  static constexpr size_t kMaxKnown = 16384;       // tags
  static constexpr size_t kMaxKept = 512U << 10;   // bytes of events to be pulled
  static constexpr size_t kMaxAnnounced = 4096;    // tags per network waiting to be told
  static constexpr size_t kMaxWanted = 4096;       // tags asked for
  static constexpr size_t kMaxEchoes = 1024;       // tags to go along with other packets
  static constexpr size_t kMaxServed = 16U << 10;  // bytes of events for one Pull
  static constexpr size_t kManyTags = 16;          // told at once: each costs its bytes alone
  static constexpr size_t kEchoTags = 32;          // per packet
  static constexpr size_t kEchoes = 4;             // packets per tag
  static constexpr size_t kPulls = 3;              // times an event is asked for

  // `packet_room`: bytes of messages in a packet.
  Spread(const SpreadConfig& config, Audience& audience, size_t packet_room);

  // What was news here. False when the queue was full and its oldest went.
  bool tell(const EntryEvent& event, News news, Instant now);
  // An event that came and is not to be passed on.
  void note(const EntryEvent& event, Instant now) { know(tag_of(event), nullptr, now); }
  // Whether an event that came has come of late; then it is counted, and nothing new.
  bool is_copy(uint32_t tag) override;
  void receive(const NodeId& from, const Have& have, Instant now);
  void receive(const NodeId& from, const Pull& pull, Instant now);

  void tick(Instant now);
  Instant next_deadline() const;
  std::vector<Outgoing> take_outgoing() { return std::exchange(outgoing_, {}); }
  // Adds tags to a packet that goes to a live member anyway.
  void piggyback(Packer& packer, Instant now);

  const Counts& counts() const { return counts_; }
  size_t queued_bytes() const { return queue_.bytes(); }
  size_t kept_bytes() const { return recent_.bytes(); }

 private:
  // Tags of a network that wait to be told.
  struct Announcing {
    std::vector<uint32_t> own;    // small networks: once, to all
    std::vector<uint32_t> fresh;  // large ones: to some
    std::vector<uint32_t> again;  // and to some others
    std::vector<uint32_t> last;   // and once more, when there are many
  };
  struct Wanted {
    NodeId next;            // to be asked
    bool announced = true;  // it, since another one was asked; else it is that one
    size_t asked = 0;
  };
  struct Echo {
    NetworkId network;
    uint32_t tag = 0;
    size_t left = kEchoes;
    Instant since;
  };

  void know(uint32_t tag, SharedBytes encoded, Instant now);
  void announce_later(const NetworkId& network, std::vector<uint32_t> Announcing::*list,
                      uint32_t tag, Instant now);
  Instant flush_due() const;
  void flush(Instant now);
  void flush_network(const NetworkId& network, std::vector<SharedBytes> own,
                     std::vector<SharedBytes> relayed, bool loaded);
  void announce(Instant now);
  void pull(Instant now);
  void send(std::vector<NodeId> to, std::vector<SharedBytes> messages);

  SpreadConfig config_;
  Audience& audience_;
  size_t packet_room_;

  SendQueue queue_;
  TokenBucket packets_;
  TokenBucket bytes_;
  Instant last_flush_{INT64_MIN / 2};

  RecentEvents recent_;

  std::map<NetworkId, Announcing> announcing_;
  Deadlines<NetworkId> announce_due_;
  std::deque<Echo> echoes_;

  std::map<uint32_t, Wanted> wanted_;
  Deadlines<uint32_t> pull_due_;

  std::vector<Outgoing> outgoing_;
  Counts counts_;
};

}  // namespace shoal::gossip
