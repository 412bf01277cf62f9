#include "tests/sim/gossip/world.h"

#include <algorithm>

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;

// A broken exchange is noticed by the asker after this.
constexpr Duration kExchangeTimeout = milliseconds(1000);

std::string padded(const std::string& text) {
  return text + std::string(kIdLength - text.size(), '0');
}

Bytes encode_value(uint64_t number) {
  ByteWriter out;
  out.u64(number);
  return out.take();
}

}  // namespace

World::World(uint64_t seed, size_t nodes) : rng_(seed), core_rng_(seed ^ 0x5eed) {
  for (size_t i = 0; i < nodes; ++i) {
    Node node;
    node.id = NodeId(padded("n" + std::to_string(i) + "x"));
    nodes_.push_back(std::move(node));
  }
  for (size_t i = 0; i < nodes; ++i) start(i);
}

void World::start(size_t index) {
  Node& node = nodes_[index];
  // Often a new place: what moved must be found.
  if (node.epoch == 0 || chance(0.3)) {
    by_address_.erase(node.address);
    node.address = {Ip::v4(0x0a000000U + ++next_address_), 7946};
    by_address_[node.address] = index;
  }
  node.epoch += 1 + rng_.below(1000);
  node.leaving = node.left = false;
  node.own.clear();
  node.shown.clear();
  node.floor.clear();
  node.members.clear();
  CoreConfig config;
  config.self = node.id;
  config.address = node.address;
  config.epoch = node.epoch;
  node.core = std::make_unique<Core>(config, core_rng_, now_);
  set_seeds(index);
  settle(index);
}

void World::set_seeds(size_t index) {
  std::vector<HostPort> seeds;
  for (size_t i = 0; i < std::min<size_t>(3, nodes_.size()); ++i) {
    if (i != index && nodes_[i].epoch != 0) seeds.push_back(nodes_[i].address);
  }
  nodes_[index].core->set_seeds(seeds, now_);
}

void World::refresh_seeds() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].core) continue;
    set_seeds(i);
    settle(i);
  }
}

void World::crash(size_t index) { nodes_[index].core.reset(); }

void World::leave(size_t index) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving) return;
  node.leaving = true;
  node.core->leave(now_);
  settle(index);
}

void World::put(size_t index, const NetworkId& network, const std::string& key) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || !node.core->tables().joined(network)) return;
  const uint64_t value = node.next_value++;
  node.own[network][key] = value;
  if (!node.core->upsert(network, key, encode_value(value)).ok()) violation_ = "upsert refused";
  settle(index);
}

void World::remove(size_t index, const NetworkId& network, const std::string& key) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving) return;
  node.own[network].erase(key);
  node.core->remove(network, key);
  settle(index);
}

void World::join(size_t index, const NetworkId& network) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving) return;
  node.core->join_network(network, now_);
  settle(index);
}

void World::leave_network(size_t index, const NetworkId& network) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving) return;
  node.own.erase(network);
  node.core->leave_network(network);
  settle(index);
}

void World::schedule(Instant at, std::function<void()> run) {
  queue_.push({at, next_number_++, std::move(run)});
}

// What the driver does after each input.
void World::settle(size_t index) {
  Node& node = nodes_[index];
  if (!node.core) return;
  node.core->tick(now_);
  Effects effects = node.core->take_effects(now_);
  for (const Effects::Datagram& datagram : effects.datagrams) deliver(index, datagram);
  for (Effects::Exchange& asked : effects.exchanges) exchange(index, std::move(asked));
  for (const MemberInfo& member : effects.members) {
    node.members[member.id] = member.state;
    if (member.state == MemberState::kFailed && is_running(member.id)) ++node.failures_seen;
  }
  for (const Tables::Event& event : effects.entries) observe(index, event);
  if (effects.left) {
    node.core.reset();
    node.left = true;
    return;
  }
  const Instant next = std::max(node.core->next_deadline(), now_ + milliseconds(1));
  schedule(next, [this, index, wake = ++node.wakes] {
    if (nodes_[index].wakes == wake) settle(index);
  });
}

void World::broken(size_t index, const std::string& what, const Name& name) {
  if (!violation_.empty()) return;
  violation_ = nodes_[index].id.str() + " " + what + " " + name.owner.str() + "/" + name.key +
               " of " + name.network.str() + " at " + std::to_string(now_.nanoseconds / 1'000'000) +
               " ms";
}

void World::observe(size_t index, const Tables::Event& event) {
  Node& node = nodes_[index];
  const Name name{event.network, event.owner, event.key};
  if (!event.removed) {
    const uint64_t value = ByteReader(event.value).u64();
    if (value < node.floor[name]) broken(index, "went back to an old value of", name);
    node.floor[name] = value;
    node.shown[name] = value;
    return;
  }
  const auto shown = node.shown.find(name);
  if (shown == node.shown.end()) return broken(index, "was told the removal of unseen", name);
  // Removed while the owner is present in the network: deleted, not hidden.
  const auto peers = node.core->tables().peers(event.network);
  const bool hidden = !node.core->tables().joined(event.network) ||
                      std::find(peers.begin(), peers.end(), event.owner) == peers.end();
  if (!hidden && event.owner != node.id) node.floor[name] = shown->second + 1;
  node.shown.erase(shown);
}

bool World::passes(size_t from, size_t to) {
  return !blocked_.contains({from, to}) && !chance(conditions_.loss);
}

Duration World::delay() {
  const auto span = static_cast<uint64_t>((conditions_.max_delay - conditions_.min_delay).count());
  return conditions_.min_delay + Duration(static_cast<int64_t>(rng_.below(span + 1)));
}

std::optional<size_t> World::at(const HostPort& address) const {
  const auto it = by_address_.find(address);
  if (it == by_address_.end()) return std::nullopt;
  return it->second;
}

bool World::is_running(const NodeId& id) const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&id](const Node& node) { return node.id == id && node.core != nullptr; });
}

void World::deliver(size_t from, const Effects::Datagram& datagram) {
  ++packets_;
  bytes_ += datagram.plain.size() + kSealOverhead;
  const auto to = at(datagram.to);
  const int copies = chance(conditions_.duplicates) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (!to || !passes(from, *to)) continue;
    schedule(now_ + delay(), [this, source = nodes_[from].address, destination = datagram.to,
                              plain = datagram.plain] {
      const auto receiver = at(destination);
      if (!receiver || !nodes_[*receiver].core) return;
      nodes_[*receiver].core->receive_packet(source, plain, now_);
      settle(*receiver);
    });
  }
}

void World::exchange(size_t from, Effects::Exchange asked) {
  const auto finish = [this, from, epoch = nodes_[from].epoch, id = asked.id](
                          Instant when, std::optional<Bytes> answer) {
    schedule(when, [this, from, epoch, id, answer = std::move(answer)] {
      Node& node = nodes_[from];
      if (!node.core || node.epoch != epoch) return;
      node.core->finish_exchange(id, answer, now_);
      settle(from);
    });
  };
  const auto to = at(asked.to);
  // TCP repairs loss, not a cut.
  if (!to || blocked_.contains({from, *to}) || blocked_.contains({*to, from})) {
    return finish(now_ + kExchangeTimeout, std::nullopt);
  }
  bytes_ += asked.plain.size();
  schedule(now_ + delay() * 2, [this, from, finish, to = asked.to, question = asked.plain] {
    const auto receiver = at(to);
    if (!receiver || !nodes_[*receiver].core || blocked_.contains({*receiver, from})) {
      return finish(now_ + kExchangeTimeout, std::nullopt);
    }
    const Bytes answer = nodes_[*receiver].core->answer_exchange(question, now_);
    bytes_ += answer.size();
    settle(*receiver);
    finish(now_ + delay(), answer.empty() ? std::nullopt : std::optional(answer));
  });
}

void World::run_for(Duration duration) {
  const Instant end = now_ + duration;
  while (!queue_.empty() && queue_.top().at <= end && violation_.empty()) {
    const Item item = queue_.top();
    queue_.pop();
    now_ = item.at;
    item.run();
  }
  now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration patience) {
  const Instant end = now_ + patience;
  while (!condition()) {
    if (now_ >= end || !violation_.empty()) return false;
    // Looking at everything is what costs in a large world.
    run_for(milliseconds(nodes_.size() < 50 ? 10 : 50));
  }
  return true;
}

std::string World::difference() const {
  for (const Node& node : nodes_) {
    if (!node.core || node.leaving) continue;
    for (const Node& other : nodes_) {
      if (&other == &node) continue;
      const bool running = other.core && !other.leaving;
      const auto seen = node.members.find(other.id);
      const bool alive = seen != node.members.end() && seen->second == MemberState::kAlive;
      if (alive != running) {
        return node.id.str() + (running ? " misses " : " still believes in ") + other.id.str();
      }
    }
    std::map<Name, uint64_t> expected;
    for (const Node& other : nodes_) {
      if (!other.core || other.leaving) continue;
      for (const auto& [network, entries] : other.own) {
        if (!node.core->tables().joined(network)) continue;
        for (const auto& [key, value] : entries) expected[{network, other.id, key}] = value;
      }
    }
    if (expected == node.shown) continue;
    for (const auto& [name, value] : expected) {
      const auto shown = node.shown.find(name);
      if (shown == node.shown.end() || shown->second != value) {
        return node.id.str() + " lacks " + name.owner.str() + "/" + name.key + " of " +
               name.network.str();
      }
    }
    return node.id.str() + " shows what nobody announces";
  }
  return {};
}

}  // namespace shoal::gossip::sim
