#include "tests/sim/gossip/world.h"

#include <algorithm>

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kKeysRetry = seconds(1);
constexpr uint64_t kKeysSpreadMs = 2000;
constexpr size_t kIntroduction = 1300;  // bytes of a packet
// As a value of a daemon's endpoint, more or less.
constexpr size_t kValueSize = 56;

std::string padded(std::string text) {
  text.resize(kIdLength, '0');
  return text;
}

std::string numbered(char letter, uint32_t number) {
  return padded(letter + std::to_string(number) + "x");
}

Bytes value_of(uint64_t version) {
  ByteWriter out;
  out.u64(version);
  Bytes value = out.take();
  value.resize(kValueSize);
  return value;
}

}  // namespace

NodeId node_id(uint32_t node) { return NodeId(numbered('n', node)); }
NetworkId network_id(uint32_t network) { return NetworkId(numbered('w', network)); }
std::string key_id(uint32_t key) { return numbered('k', key); }

uint32_t number_in(const std::string& name) {
  uint32_t number = 0;
  for (size_t i = 1; i < name.size() && name[i] != 'x'; ++i) {
    number = number * 10 + static_cast<uint32_t>(name[i] - '0');
  }
  return number;
}

World::World(uint64_t seed, uint32_t nodes, const Model& model, const Birth& birth)
    : rng_(mix(seed, 1)),
      net_(mix(seed, 2)),
      truth_(nodes, net_),
      pool_(birth.shared),
      nodes_(nodes) {
  net_.set_model(model);
  for (uint32_t i = 0; i < nodes; ++i) {
    Node& node = nodes_[i];
    node.rng = std::make_unique<SeededRng>(mix(seed, 3, i));
    // Up to an hour apart, up to 200 parts of a million fast or slow.
    node.offset = static_cast<int64_t>(rng_.below(3'600'000'000'000));
    node.drift = static_cast<int64_t>(rng_.below(401)) - 200;
  }
  forming_ = birth.formed;
  for (uint32_t i = 0; i < nodes; ++i) {
    birth.formed ? create(i) : start(i);
    for (uint32_t network = 0; network < birth.networks; ++network) {
      join(i, network);
      for (uint32_t key = 0; key < birth.keys; ++key) put(i, network, key);
    }
  }
  if (birth.formed) form(birth);
}

Instant World::local(const Node& node) const {
  return {now_.nanoseconds + node.offset + now_.nanoseconds / 1'000'000 * node.drift};
}

// The first moment at which the node's clock shows `local` or later, to a microsecond.
int64_t World::world_time(const Node& node, Instant local) const {
  if (local == Instant::max()) return INT64_MAX;
  const int64_t there = local.nanoseconds - node.offset;
  return there - there / (1'000'000 + node.drift) * node.drift + 1000;
}

uint32_t World::at(const HostPort& address) const {
  const auto bytes = address.ip.bytes();
  const size_t low = size_t{bytes[1]} << 16 | size_t{bytes[2]} << 8 | bytes[3];
  return low < by_address_.size() ? by_address_[low] : size();
}

void World::start(uint32_t index) {
  if (nodes_[index].core) return;
  create(index);
  set_seeds(index);
  settle(index);
}

void World::create(uint32_t index) {
  Node& node = nodes_[index];
  // Often a new place: what moved must be found.
  if (node.epoch == 0 || rng_.below(10) < 3) {
    if (by_address_.empty()) by_address_.push_back(size());
    if (const uint32_t old = at(node.address); node.epoch != 0 && old == index) {
      const auto bytes = node.address.ip.bytes();
      by_address_[size_t{bytes[1]} << 16 | size_t{bytes[2]} << 8 | bytes[3]] = size();
    }
    node.address = {Ip::v4(0x0a000000U + static_cast<uint32_t>(by_address_.size())), 7946};
    by_address_.push_back(index);
  }
  node.epoch += 1 + rng_.below(1000);
  node.leaving = node.refuses = node.frozen = false;
  node.starved_until = 0;
  ++node.starvation;
  node.wake_queued = INT64_MAX;
  ++node.wake_token;
  CoreConfig config;
  config.self = node_id(index);
  config.address = node.address;
  config.epoch = node.epoch;
  config.table.pool = &pool_;
  truth_.up(index, now_);
  node.core = std::make_unique<Core>(config, *node.rng, local(node));
  if (node.keys == 0) node.keys = keys_;  // given with the joining; else what it last had
  fetch_keys(index);
}

void World::set_seeds(uint32_t index) {
  std::vector<HostPort> seeds;
  for (uint32_t i = 0; i < std::min(kManagers, size()); ++i) {
    if (i != index && nodes_[i].epoch != 0) seeds.push_back(nodes_[i].address);
  }
  nodes_[index].core->set_seeds(seeds, local(nodes_[index]));
}

void World::refresh_seeds() {
  for (uint32_t i = 0; i < size(); ++i) {
    if (!nodes_[i].core || nodes_[i].frozen) continue;
    set_seeds(i);
    settle(i);
  }
}

void World::form(const Birth& birth) {
  forming_ = false;
  std::vector<Claim> members;
  std::vector<EntryEvent> entries;
  for (uint32_t i = 0; i < size(); ++i) {
    const Head head = nodes_[i].core->swim().head();
    members.push_back({ClaimKind::kAlive, head.sender, head.incarnation, head.address, {}});
    const auto& own = nodes_[i].core->tables().own_events();
    entries.insert(entries.end(), own.begin(), own.end());
  }
  // A bystander that nobody ever hears of.
  CoreConfig config;
  config.self = node_id(size());
  config.table.pool = &pool_;
  SeededRng rng(0);
  Core image(config, rng, now_);
  for (uint32_t network = 0; network < birth.networks; ++network) {
    image.join_network(network_id(network), now_);
  }
  if (birth.shared) image.restore(members, entries, now_);
  for (uint32_t i = 0; i < size(); ++i) {
    if (birth.shared) {
      nodes_[i].core->restore(image, local(nodes_[i]));
    } else {
      nodes_[i].core->restore(members, entries, local(nodes_[i]));
    }
    set_seeds(i);
    settle(i);
  }
  trace_ = 0;  // what is known at birth is known in no order
}

void World::end(uint32_t index, bool refuses) {
  Node& node = nodes_[index];
  if (!node.core) return;
  truth_.down(index, now_);
  node.core.reset();
  node.refuses = refuses;
  node.frozen = false;
  ++node.starvation;
  drop_inbox(node);
}

void World::leave(uint32_t index) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || node.frozen) return;
  node.leaving = true;
  truth_.down(index, now_);
  node.core->leave(local(node));
  settle(index);
}

void World::put(uint32_t index, uint32_t network, uint32_t key) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || node.frozen || !truth_.is_joined(index, network)) return;
  const uint64_t version = truth_.put(index, network, key, now_);
  const Status told = node.core->upsert(network_id(network), key_id(key), value_of(version));
  SHOAL_CHECK(told.ok(), "a core refused its own entry");
  settle(index);
}

void World::remove(uint32_t index, uint32_t network, uint32_t key) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || node.frozen || !truth_.is_joined(index, network)) return;
  truth_.erase(index, network, key, now_);
  node.core->remove(network_id(network), key_id(key));
  settle(index);
}

void World::join(uint32_t index, uint32_t network) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || node.frozen || truth_.is_joined(index, network)) return;
  truth_.join(index, network, now_);
  node.core->join_network(network_id(network), local(node));
  settle(index);
}

void World::leave_network(uint32_t index, uint32_t network) {
  Node& node = nodes_[index];
  if (!node.core || node.leaving || node.frozen || !truth_.is_joined(index, network)) return;
  truth_.leave(index, network, now_);
  node.core->leave_network(network_id(network));
  settle(index);
}

void World::rotate_keys() {
  ++keys_;
  for (uint32_t i = 0; i < size(); ++i) {
    const auto wait = milliseconds(static_cast<int64_t>(rng_.below(kKeysSpreadMs)));
    if (std::exchange(nodes_[i].fetching, true)) continue;
    calendar_.push((now_ + wait).nanoseconds, Kind::kKeys, i, 0);
  }
}

// By the session with the managers: who reaches one of them, both ways, has the present ring.
void World::fetch_keys(uint32_t index) {
  Node& node = nodes_[index];
  if (!node.core || node.keys == keys_) return;
  for (uint32_t manager = 0; manager < std::min(kManagers, size()) && !node.frozen; ++manager) {
    const bool open = net_.open(index, manager, now_) && net_.open(manager, index, now_);
    if (manager != index && (!nodes_[manager].core || !open)) continue;
    node.keys = keys_;
    return;
  }
  if (std::exchange(node.fetching, true)) return;
  calendar_.push((now_ + kKeysRetry).nanoseconds, Kind::kKeys, index, 0);
}

void World::run_for(Duration duration) {
  const Instant end = now_ + duration;
  Event event;
  while (truth_.violation().empty() && calendar_.pop(end.nanoseconds, event)) {
    now_ = {event.at};
    ++events_;
    run(event);
  }
  now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration patience, Duration step) {
  const Instant end = now_ + patience;
  while (!condition()) {
    if (now_ >= end || !truth_.violation().empty()) return false;
    run_for(step);
  }
  return true;
}

}  // namespace shoal::gossip::sim
