// World: a cluster of production gossip cores in virtual time, on a network that loses, delays,
// duplicates, reorders and partitions. One thread, one seed: a run repeats exactly.
//
// Each node has an observer that checks what a consumer relies on, at every event:
//   - an owner's key never goes back to an older value;
//   - what its owner deleted is not shown again;
//   - a removal names something shown.
// Values are the owner's running number, so that older and newer can be told apart.
#pragma once

#include <map>
#include <memory>
#include <queue>
#include <string>

#include "gossip/node/core.h"

namespace shoal::gossip::sim {

struct Conditions {
  double loss = 0;
  double duplicates = 0;
  Duration min_delay = std::chrono::microseconds(100);
  Duration max_delay = std::chrono::microseconds(500);
};

// An owner, a network and a key.
struct Name {
  NetworkId network;
  NodeId owner;
  std::string key;
  auto operator<=>(const Name&) const = default;
};

struct Node {
  NodeId id;
  HostPort address;
  uint64_t epoch = 0;
  std::unique_ptr<Core> core;  // none: not running
  bool leaving = false;
  bool left = false;
  uint64_t wakes = 0;  // the latest scheduled wake-up; earlier ones are void
  // What it announces, by network: the model.
  std::map<NetworkId, std::map<std::string, uint64_t>> own;
  uint64_t next_value = 1;  // survives restarts, as the world's knowledge
  // What its observer shows, and what may never be shown again.
  std::map<Name, uint64_t> shown;
  std::map<Name, uint64_t> floor;
  std::map<NodeId, MemberState> members;
  size_t failures_seen = 0;  // running nodes that this one declared failed
};

class World {
 public:
  World(uint64_t seed, size_t nodes);

  Instant now() const { return now_; }
  Rng& rng() { return rng_; }
  std::vector<Node>& nodes() { return nodes_; }
  Conditions& conditions() { return conditions_; }

  void start(size_t node);
  // Seeds are the first three nodes' addresses as they were when a node started; this gives all
  // nodes the present ones, as the managers' list does in a daemon.
  void refresh_seeds();
  void crash(size_t node);
  void leave(size_t node);
  void put(size_t node, const NetworkId& network, const std::string& key);
  void remove(size_t node, const NetworkId& network, const std::string& key);
  void join(size_t node, const NetworkId& network);
  void leave_network(size_t node, const NetworkId& network);
  // Packets of `from` to `to` are dropped; one way.
  void block(size_t from, size_t to) { blocked_[{from, to}] = true; }
  void heal() { blocked_.clear(); }

  // Runs the cluster for a time, or until a condition holds; false when it did not.
  void run_for(Duration duration);
  bool run_until(const std::function<bool()>& condition, Duration patience);

  // Empty when every running node sees every other as it is and shows exactly what the running
  // nodes announce in the networks it joined; else what is wrong.
  std::string difference() const;
  // The first broken invariant; empty while there is none.
  const std::string& violation() const { return violation_; }
  uint64_t packets() const { return packets_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Item {
    Instant at;
    uint64_t number;
    std::function<void()> run;
    bool operator>(const Item& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };

  void set_seeds(size_t node);
  void schedule(Instant at, std::function<void()> run);
  void settle(size_t node);
  void observe(size_t node, const Tables::Event& event);
  bool passes(size_t from, size_t to);
  Duration delay();
  bool chance(double probability) {
    return static_cast<double>(rng_.below(1U << 30)) < probability * (1U << 30);
  }
  std::optional<size_t> at(const HostPort& address) const;
  bool is_running(const NodeId& id) const;
  void deliver(size_t from, const Effects::Datagram& datagram);
  void exchange(size_t from, Effects::Exchange exchange);
  void broken(size_t node, const std::string& what, const Name& name);

  SeededRng rng_;
  SeededRng core_rng_;
  Instant now_{1'000'000'000};
  std::vector<Node> nodes_;
  Conditions conditions_;
  std::map<std::pair<size_t, size_t>, bool> blocked_;
  std::map<HostPort, size_t> by_address_;
  std::priority_queue<Item, std::vector<Item>, std::greater<>> queue_;
  uint64_t next_number_ = 0;
  uint32_t next_address_ = 0;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
  std::string violation_;
};

}  // namespace shoal::gossip::sim
