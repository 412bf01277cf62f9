// The nodes' side of the world: what reaches them, what they say, and when they get no CPU.
#include <algorithm>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// As the daemon's streams.
constexpr Duration kExchangeTimeout = seconds(10);
// As the daemon's socket: what waits in it while the process gets no CPU, and what is taken from
// it between two ticks.
constexpr size_t kSocketBuffer = 4U << 20;
constexpr size_t kReceiveBatch = 64;
// What the kernel counts of a small datagram beside its bytes.
constexpr size_t kBufferOverhead = 512;
constexpr size_t kDatagramHeaders = 28;  // IPv4 and UDP
constexpr size_t kSegmentHeaders = 52;   // IPv4 and TCP with timestamps
constexpr size_t kSegment = 1448;
constexpr size_t kConnection = 7 * kSegmentHeaders;  // opening, acknowledging, closing
constexpr Duration kRetransmit = milliseconds(200);
// A starved node that is sliced: so long it runs, and so long it does not.
constexpr Duration kSlice = milliseconds(20);
constexpr Duration kMinPause = milliseconds(500);
constexpr uint64_t kPauseSpanMs = 1500;
// No core can spin the world, as none can spin the daemon.
constexpr Duration kMinWait = milliseconds(1);

size_t stream_size(size_t plain) {
  const size_t sealed = plain + kSealOverhead + 4;
  return sealed + (sealed + kSegment - 1) / kSegment * kSegmentHeaders;
}

// A ring holds the generation before and the one after its own.
bool opens(uint64_t sealed_with, uint64_t ring) {
  return sealed_with <= ring + 1 && ring <= sealed_with + 1;
}

}  // namespace

void World::run(const Event& event) {
  note(static_cast<uint64_t>(event.kind) << 32 | event.node, static_cast<uint64_t>(event.at));
  uint32_t index = event.node;
  switch (event.kind) {
    case Kind::kWake:
      return wake(event);
    case Kind::kPacket:
      index = at(packets_[event.slot].to);
      break;
    case Kind::kQuestion:
      index = at(exchanges_[event.slot].to);
      break;
    case Kind::kConnect:
      // Whether the process runs or not.
      connect(event.slot);
      return release(event);
    case Kind::kAnswer:
    case Kind::kTimeout:
      break;
    case Kind::kKeys:
      nodes_[index].fetching = false;
      return fetch_keys(index);
    case Kind::kFreeze:
      if (event.slot == nodes_[index].starvation) freeze(index);
      return;
    case Kind::kThaw:
      if (event.slot == nodes_[index].starvation) thaw(index);
      return;
    case Kind::kAct:
      return act_(event.slot);
  }
  if (index < size() && nodes_[index].core && nodes_[index].frozen) return keep(index, event);
  handle(index, event);
  release(event);
  if (index < size()) settle(index);
}

void World::wake(const Event& event) {
  Node& node = nodes_[event.node];
  if (event.slot != node.wake_token) return;
  // Also of who is frozen and cannot follow it: thawed, it asks for another.
  node.wake_queued = INT64_MAX;
  if (!node.core || node.frozen) return;
  if (node.wake_at > now_.nanoseconds) return queue_wake(event.node);
  settle(event.node);
}

// Waits in the sockets until the process runs again.
void World::keep(uint32_t index, const Event& event) {
  Node& node = nodes_[index];
  if (event.kind == Kind::kPacket) {
    const size_t size = packets_[event.slot].plain.size() + kSealOverhead + kBufferOverhead;
    if (node.inbox_bytes + size > kSocketBuffer) {
      ++traffic_.buffers_full;
      return release(event);
    }
    node.inbox_bytes += size;
  }
  node.inbox.push_back(event);
}

void World::release(const Event& event) {
  event.kind == Kind::kPacket ? packets_.release(event.slot) : exchanges_.release(event.slot);
}

void World::drop_inbox(Node& node) {
  for (const Event& event : node.inbox) release(event);
  node.inbox.clear();
  node.inbox_bytes = 0;
}

void World::handle(uint32_t index, const Event& event) {
  if (event.kind == Kind::kPacket) {
    if (index >= size() || !nodes_[index].core) return;
    const Packet& packet = packets_[event.slot];
    Node& node = nodes_[index];
    if (!opens(packet.keys, node.keys)) {
      ++traffic_.unknown_key;
      return node.core->count_drop(DropReason::kUnknownKey);
    }
    // As the guard: what is for nobody in particular is answered, and what is for an earlier life
    // tells its sender so.
    if (packet.peer.id.empty()) {
      node.core->receive_open(packet.from, packet.plain, local(node));
    } else if (node.core->is_self(packet.peer)) {
      node.core->receive_packet(packet.from, packet.plain, local(node));
    } else {
      node.core->count_drop(DropReason::kOtherReceiver);
      node.core->call(packet.from, local(node));
    }
  } else if (event.kind == Kind::kQuestion) {
    answer(index, event.slot);
  } else {
    Exchange& exchange = exchanges_[event.slot];
    Node& node = nodes_[index];
    if (exchange.done) return;
    exchange.done = true;
    if (!node.core || node.epoch != exchange.epoch) return;
    const bool answered =
        event.kind == Kind::kAnswer && !exchange.answer.empty() && opens(exchange.keys, node.keys);
    const uint64_t id = exchange.id;
    if (exchange.probe) {
      Reach reach = exchange.accepted ? Reach::kStalled : Reach::kSilent;
      if (event.kind == Kind::kAnswer) reach = answered ? Reach::kAnswers : Reach::kRefused;
      const auto got = answered ? std::optional(std::move(exchange.answer)) : std::nullopt;
      return node.core->finish_tcp_probe(id, reach, got, local(node));
    }
    const auto got = answered ? std::optional(std::move(exchange.answer)) : std::nullopt;
    node.core->finish_exchange(id, got, local(node));
  }
}

void World::starve(uint32_t index, Starvation how, Duration how_long) {
  Node& node = nodes_[index];
  if (!node.core || node.frozen) return;
  node.starved_until = (now_ + how_long).nanoseconds;
  node.sliced = how == Starvation::kSliced;
  ++node.starvation;
  truth_.starve(index, true, now_);
  freeze(index);
}

void World::feed() {
  for (uint32_t i = 0; i < size(); ++i) {
    Node& node = nodes_[i];
    if (!node.core || node.starved_until <= now_.nanoseconds) continue;
    ++node.starvation;
    node.starved_until = now_.nanoseconds;
    thaw(i);
  }
}

void World::freeze(uint32_t index) {
  Node& node = nodes_[index];
  if (!node.core) return;
  node.frozen = true;
  int64_t thaws = node.starved_until;
  if (node.sliced) {
    const auto pause = kMinPause + milliseconds(static_cast<int64_t>(rng_.below(kPauseSpanMs)));
    thaws = std::min(thaws, (now_ + pause).nanoseconds);
  }
  calendar_.push(thaws, Kind::kThaw, index, node.starvation);
}

void World::thaw(uint32_t index) {
  Node& node = nodes_[index];
  node.frozen = false;
  if (now_.nanoseconds >= node.starved_until) {
    truth_.starve(index, false, now_);
  } else {
    calendar_.push((now_ + kSlice).nanoseconds, Kind::kFreeze, index, node.starvation);
  }
  const std::vector<Event> waiting = std::exchange(node.inbox, {});
  node.inbox_bytes = 0;
  for (size_t i = 0; i < waiting.size(); ++i) {
    handle(index, waiting[i]);
    release(waiting[i]);
    if (shell_ == Shell::kBatches && (i + 1) % kReceiveBatch == 0) settle(index);
  }
  settle(index);
}

// What the daemon's shell does after each input.
void World::settle(uint32_t index) {
  Node& node = nodes_[index];
  if (!node.core || forming_) return;
  const Instant now = local(node);
  node.core->tick(now);
  Effects effects = node.core->take_effects(now);
  if (plant_) plant_(index, effects);
  for (Effects::Datagram& datagram : effects.datagrams) send(index, datagram);
  for (Effects::Exchange& asked : effects.exchanges) ask(index, asked);
  for (Effects::TcpProbe& asked : effects.tcp_probes) probe(index, asked);
  if (truth_.is_up(index)) tell(index, effects);
  if (effects.left) {
    node.core.reset();
    node.refuses = true;
    drop_inbox(node);
    return;
  }
  node.wake_at = world_time(node, std::max(node.core->next_deadline(), now + kMinWait));
  if (node.wake_at < node.wake_queued) queue_wake(index);
}

void World::queue_wake(uint32_t index) {
  Node& node = nodes_[index];
  if (node.wake_at == INT64_MAX) return;
  node.wake_queued = node.wake_at;
  calendar_.push(node.wake_at, Kind::kWake, index, ++node.wake_token);
}

void World::tell(uint32_t index, const Effects& effects) {
  for (const MemberInfo& member : effects.members) {
    const uint32_t other = number_in(member.id.str());
    note(uint64_t{index} << 32 | other, static_cast<uint64_t>(member.state));
    if (other < size() && other != index) truth_.member(index, other, member.state, now_);
  }
  for (const Tables::Event& event : effects.entries) {
    const uint32_t network = number_in(event.network.str());
    const uint32_t owner = number_in(event.owner.str());
    const uint32_t key = number_in(event.key);
    const uint64_t value = event.removed ? 0 : ByteReader(event.value).u64();
    note(uint64_t{index} << 32 | owner, uint64_t{key} << 32 | value);
    if (event.removed) {
      truth_.removed(index, network, owner, key, now_);
    } else {
      truth_.shown(index, network, owner, key, value, now_);
    }
  }
}

void World::send(uint32_t from, Effects::Datagram& datagram) {
  ++traffic_.packets;
  traffic_.bytes += datagram.plain.size() + kSealOverhead + kDatagramHeaders;
  const uint32_t to = at(datagram.to);
  if (to >= size() || !net_.open(from, to, now_)) return;
  uint32_t copies = net_.doubled(rng_) ? 2 : 1;
  int64_t arrivals[2];
  uint32_t arriving = 0;
  for (; copies > 0; --copies) {
    if (net_.lost(from, to, rng_)) continue;
    arrivals[arriving++] = (now_ + net_.delay(from, to, rng_)).nanoseconds;
  }
  if (arriving == 0) return;
  const Node& node = nodes_[from];
  const uint32_t slot = packets_.add(
      {node.address, datagram.to, datagram.peer, node.keys, std::move(datagram.plain)}, arriving);
  while (arriving > 0) calendar_.push(arrivals[--arriving], Kind::kPacket, to, slot);
}

// TCP repairs loss, for a price.
Duration World::stream_delay(uint32_t a, uint32_t b) {
  return net_.delay(a, b, rng_) + (net_.lost(a, b, rng_) ? kRetransmit : Duration(0));
}

void World::ask(uint32_t from, Effects::Exchange& asked) {
  const Node& node = nodes_[from];
  ++traffic_.streams;
  const size_t bytes = stream_size(asked.plain.size()) + kConnection;
  const uint32_t slot = exchanges_.add(
      {from, node.epoch, asked.id, asked.to, asked.peer, std::move(asked.plain), {}, node.keys}, 1);
  calendar_.push((now_ + kExchangeTimeout).nanoseconds, Kind::kTimeout, from, slot);
  const uint32_t to = at(asked.to);
  if (to >= size() || !net_.open(from, to, now_) || !net_.open(to, from, now_)) return;
  traffic_.bytes += bytes;
  traffic_.stream_bytes += bytes;
  const Duration opening = stream_delay(from, to) + stream_delay(to, from);
  exchanges_.keep(slot);
  calendar_.push((now_ + opening + stream_delay(from, to)).nanoseconds, Kind::kQuestion, to, slot);
}

// A lost segment of the handshake is repeated after a second only, when nobody waits any more.
void World::probe(uint32_t from, Effects::TcpProbe& asked) {
  const Node& node = nodes_[from];
  ++traffic_.probes;
  const size_t bytes = stream_size(asked.plain.size()) + kConnection;
  traffic_.bytes += bytes;
  traffic_.stream_bytes += bytes;
  Exchange exchange{from, node.epoch, asked.id, asked.to, asked.peer, std::move(asked.plain),
                    {},   node.keys};
  exchange.probe = true;
  const uint32_t slot = exchanges_.add(std::move(exchange), 1);
  calendar_.push((now_ + SwimConfig().tcp_timeout).nanoseconds, Kind::kTimeout, from, slot);
  const uint32_t to = at(asked.to);
  if (to >= size() || !net_.open(from, to, now_) || net_.lost(from, to, rng_)) return;
  exchanges_.keep(slot);
  calendar_.push((now_ + net_.delay(from, to, rng_)).nanoseconds, Kind::kConnect, to, slot);
}

// The kernel of a frozen process takes the connection; that of a host without the process does not.
void World::connect(uint32_t slot) {
  Exchange& exchange = exchanges_[slot];
  const uint32_t from = exchange.from;
  const uint32_t to = at(exchange.to);
  if (to >= size() || (!nodes_[to].core && !nodes_[to].refuses)) return;
  if (!net_.open(to, from, now_) || net_.lost(to, from, rng_)) return;
  const Duration back = net_.delay(to, from, rng_);
  exchanges_.keep(slot);
  if (!nodes_[to].core) {
    return calendar_.push((now_ + back).nanoseconds, Kind::kAnswer, from, slot);
  }
  exchange.accepted = true;
  calendar_.push((now_ + back + stream_delay(from, to)).nanoseconds, Kind::kQuestion, to, slot);
}

void World::answer(uint32_t index, uint32_t slot) {
  if (index >= size()) return;
  Node& node = nodes_[index];
  const uint32_t asker = exchanges_[slot].from;
  if (!node.core && !node.refuses) return;
  if (node.core && node.core->is_self(exchanges_[slot].peer) &&
      opens(exchanges_[slot].keys, node.keys)) {
    const Bytes question = std::move(exchanges_[slot].question);
    Bytes answer = node.core->answer_exchange(question, local(node));
    const size_t bytes = stream_size(answer.size());
    traffic_.bytes += bytes;
    traffic_.stream_bytes += bytes;
    exchanges_[slot].answer = std::move(answer);
    exchanges_[slot].keys = node.keys;
  }
  if (!net_.open(index, asker, now_) || !net_.open(asker, index, now_)) return;
  exchanges_.keep(slot);
  calendar_.push((now_ + stream_delay(index, asker)).nanoseconds, Kind::kAnswer, asker, slot);
}

}  // namespace shoal::gossip::sim
