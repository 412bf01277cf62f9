// World: a cluster of production gossip cores in virtual time, on a network that loses, delays,
// duplicates, reorders and partitions (net.h), watched against what really happened (truth.h).
// One thread, one seed: a run repeats exactly, which trace() shows.
//
// Every node has a clock of its own, with an offset and a drift; its core sees no other. A starved
// node is frozen (its packets wait in the socket's buffer, the kernel still takes its streams), or
// runs for a few milliseconds between freezes. Woken, it does what the daemon's shell does.
//
// Keys: the managers (the first nodes) rotate the ring, every node fetches it from them when it
// reaches one, and a packet opens where the sender's key is in the receiver's ring of three. The
// seal itself is the shell's and is not run here, its bytes are counted.
//
// What is planted (`plant`) changes what comes out of a core before anybody sees it: so that a
// test can show that the observers notice.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gossip/node/core.h"
#include "tests/sim/gossip/engine.h"
#include "tests/sim/gossip/net.h"
#include "tests/sim/gossip/truth.h"

namespace shoal::gossip::sim {

// The names of things, from their numbers and back; of the length of real ones.
NodeId node_id(uint32_t node);
NetworkId network_id(uint32_t network);
std::string key_id(uint32_t key);
uint32_t number_in(const std::string& name);

enum class Starvation : uint8_t {
  kFrozen,  // no CPU at all
  kSliced,  // 20 ms of CPU, then none for 0.5 to 2 s
};

// What the daemon's shell does with packets that waited: ticks between batches of them, or only
// when the socket is empty.
enum class Shell : uint8_t { kBatches, kDrains };

class World {
 public:
  // What the nodes of a world have and know when it begins.
  struct Birth {
    // One cluster from the start, rather than strangers who are told of the managers: a thousand
    // nodes that come in at once tell each other everything one by one, and that fifty times over.
    bool formed = false;
    uint32_t networks = 0;  // each node joins these
    uint32_t keys = 0;      // and announces these in each of them
    // What the nodes know in common is there once (until it differs). Nothing else follows from it.
    bool shared = true;
  };

  World(uint64_t seed, uint32_t nodes, const Model& model) : World(seed, nodes, model, Birth()) {}
  World(uint64_t seed, uint32_t nodes, const Model& model, const Birth& birth);

  Instant now() const { return now_; }
  Rng& rng() { return rng_; }
  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  Net& net() { return net_; }
  Truth& truth() { return truth_; }
  const Truth& truth() const { return truth_; }
  const Core* core(uint32_t node) const { return nodes_[node].core.get(); }
  bool is_running(uint32_t node) const { return nodes_[node].core != nullptr; }

  void start(uint32_t node);
  // The host is gone, and what is sent to it.
  void crash(uint32_t node) { end(node, false); }
  // The process is gone; the host refuses its streams.
  void stop(uint32_t node) { end(node, true); }
  void leave(uint32_t node);
  // Seeds are the managers' addresses as they were when a node started; this gives all nodes the
  // present ones, as the daemon's session does.
  void refresh_seeds();
  void starve(uint32_t node, Starvation how, Duration how_long);
  // Ends every starvation.
  void feed();
  void rotate_keys();

  void join(uint32_t node, uint32_t network);
  void leave_network(uint32_t node, uint32_t network);
  void put(uint32_t node, uint32_t network, uint32_t key);
  void remove(uint32_t node, uint32_t network, uint32_t key);

  // Runs `act(slot)` at a time; what a scenario does while the world goes on.
  void set_act(std::function<void(uint32_t)> act) { act_ = std::move(act); }
  void act_at(Instant at, uint32_t slot) { calendar_.push(at.nanoseconds, Kind::kAct, 0, slot); }

  // For a time, or until a condition holds that is looked at each `step`; false when it did not.
  // Both end at the first broken rule.
  void run_for(Duration duration);
  bool run_until(const std::function<bool()>& condition, Duration patience, Duration step);

  void set_shell(Shell shell) { shell_ = shell; }

  using Plant = std::function<void(uint32_t node, Effects& effects)>;
  void plant(Plant plant) { plant_ = std::move(plant); }

  struct Traffic {
    uint64_t packets = 0;  // datagrams sent
    uint64_t bytes = 0;    // on the wire, with IP, UDP and TCP headers
    uint64_t streams = 0;
    uint64_t probes = 0;        // over TCP
    uint64_t stream_bytes = 0;  // part of bytes
    uint64_t unknown_key = 0;   // packets that did not open
    uint64_t buffers_full = 0;  // packets a frozen node's socket could not keep
  };
  const Traffic& traffic() const { return traffic_; }
  uint64_t events() const { return events_; }
  // A hash of all that happened.
  uint64_t trace() const { return trace_; }

  static constexpr uint32_t kManagers = 3;

 private:
  struct Node {
    std::unique_ptr<Core> core;  // none: not running
    std::unique_ptr<SeededRng> rng;
    HostPort address;
    uint64_t epoch = 0;
    bool leaving = false;
    bool refuses = false;  // down, and its host says so
    // Local time = world time + offset + drift (in parts of a million).
    int64_t offset = 0;
    int64_t drift = 0;
    int64_t wake_at = INT64_MAX;      // the deadline in world time
    int64_t wake_queued = INT64_MAX;  // the event that is in the calendar for it
    uint32_t wake_token = 0;
    uint64_t keys = 0;      // the generation of its ring
    bool fetching = false;  // a try to fetch the ring is in the calendar
    bool frozen = false;
    uint32_t starvation = 0;  // token; each starvation has its own
    int64_t starved_until = 0;
    bool sliced = false;
    std::vector<Event> inbox;  // what came while frozen
    size_t inbox_bytes = 0;
  };
  struct Packet {
    HostPort from;
    HostPort to;
    Peer peer;
    uint64_t keys = 0;
    Bytes plain;
  };
  struct Exchange {
    uint32_t from = 0;
    uint64_t epoch = 0;  // of the asker's life
    uint64_t id = 0;
    HostPort to;
    Peer peer;
    Bytes question;
    Bytes answer;
    uint64_t keys = 0;
    bool done = false;
    bool probe = false;
    bool accepted = false;  // a probe's connection, by the other kernel
  };

  Instant local(const Node& node) const;
  int64_t world_time(const Node& node, Instant local) const;
  void end(uint32_t node, bool refuses);
  void set_seeds(uint32_t node);
  void create(uint32_t node);
  void form(const Birth& birth);
  void drop_inbox(Node& node);
  void run(const Event& event);
  void keep(uint32_t node, const Event& event);
  void handle(uint32_t node, const Event& event);
  void release(const Event& event);
  void freeze(uint32_t node);
  void thaw(uint32_t node);
  void fetch_keys(uint32_t node);
  void settle(uint32_t node);
  void wake(const Event& event);
  void queue_wake(uint32_t node);
  void tell(uint32_t node, const Effects& effects);
  void send(uint32_t from, Effects::Datagram& datagram);
  void ask(uint32_t from, Effects::Exchange& asked);
  void probe(uint32_t from, Effects::TcpProbe& probe);
  void connect(uint32_t slot);
  void answer(uint32_t node, uint32_t slot);
  Duration stream_delay(uint32_t a, uint32_t b);
  // The node an address belongs to; size() when none.
  uint32_t at(const HostPort& address) const;
  void note(uint64_t what, uint64_t more) { trace_ = mix(trace_, what, more); }

  SeededRng rng_;
  Net net_;
  Truth truth_;
  Instant now_{1'000'000'000};
  merkle::Pool pool_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> by_address_;  // by the low bits of the address
  Calendar calendar_;
  Slab<Packet> packets_;
  Slab<Exchange> exchanges_;
  std::function<void(uint32_t)> act_;
  Plant plant_;
  Shell shell_ = Shell::kBatches;
  uint64_t keys_ = 1;
  bool forming_ = false;  // nobody has said anything yet
  Traffic traffic_;
  uint64_t events_ = 0;
  uint64_t trace_ = 0;
};

}  // namespace shoal::gossip::sim
