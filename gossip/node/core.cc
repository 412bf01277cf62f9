#include "gossip/node/core.h"

#include <algorithm>
#include <cmath>

namespace shoal::gossip {
namespace {

// Own events carry the directory entry of their network along for this long after joining it, so
// that who has not heard of the joining shows them at once.
constexpr Duration kRecentJoin = std::chrono::seconds(5);
// News is relayed after this: a burst of them shares packets, and a few hops stay fast.
constexpr Duration kRelayDelay = std::chrono::milliseconds(5);
// Packets per peer, network and repeat round: paces the repeats of a mass change.
constexpr size_t kRepeatPackets = 8;
constexpr Duration kOverflowDigests = std::chrono::seconds(1);

}  // namespace

Core::Core(const CoreConfig& config, Rng& rng, Instant now)
    : config_(config),
      rng_(rng),
      swim_(config.swim, config.self, config.address, first_incarnation(config.epoch), rng, now),
      tables_(config.table, config.self, config.epoch),
      next_repeat_(now),
      path_(config.packet_budget, rng, now),
      now_(now),
      next_digests_(now + Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>(
                              config.table.anti_entropy_interval.count()))))) {
  unsynced_.set(Tables::directory(), now);
}

void Core::receive_packet(const HostPort& from, ByteView plain, Instant now) {
  now_ = now;
  const Result<Packet> packet = decode_packet(plain);
  if (!packet) return count_drop(DropReason::kMalformed);
  const DropReason drop = swim_.hear(packet->head, from, now);
  if (drop != DropReason::kNone) return count_drop(drop);
  heard_[from] = {packet->head.sender, epoch_of(packet->head.incarnation)};
  for (const Message& message : packet->messages) {
    receive_message(packet->head, from, message, now);
  }
  settle(now);
}

void Core::receive_open(const HostPort& from, ByteView plain, Instant now) {
  now_ = now;
  const Result<Packet> packet = decode_packet(plain);
  if (!packet) return count_drop(DropReason::kMalformed);
  const Head& head = packet->head;
  if (head.sender == config_.self) return count_drop(DropReason::kSelf);
  if (swim_.is_forgotten(head.sender)) return count_drop(DropReason::kForgotten);
  Packer answer(swim_.head(), plain_budget());
  for (const Message& message : packet->messages) {
    // An answer proves itself by the number of its question.
    if (const auto* ack = std::get_if<Ack>(&message)) swim_.receive_ack(*ack);
    const auto* ping = std::get_if<Ping>(&message);
    if (ping == nullptr) continue;
    if (!ping->target.empty() && ping->target != config_.self) {
      return count_drop(DropReason::kMisdirected);
    }
    answer.add(encode_message(Ack{ping->number}));
    break;
  }
  // A caller says only who it is: what it answers, sealed to this node, is to be believed.
  if (packet->messages.empty()) answer.add(encode_message(Ping{0, head.sender}));
  // Who came back with a clock that went back does not know how it is known.
  if (const auto correction = swim_.correction(head)) answer.add(encode_message(*correction));
  for (Bytes& packed : answer.take()) {
    effects_.datagrams.push_back(
        {from, {head.sender, epoch_of(head.incarnation)}, std::move(packed)});
  }
}

void Core::call(const HostPort& to, Instant now) {
  now_ = now;
  if (now - calls_since_ >= std::chrono::seconds(1)) {
    calls_since_ = now;
    calls_ = 0;
  }
  if (calls_ >= kMaxCalls || callers_count_ >= kMaxCalls) return;
  ++calls_;
  callers_[callers_count_++] = to;
}

bool Core::is_self(const Peer& peer) const {
  return peer.id == config_.self && (peer.epoch == epoch() || peer.epoch == config_.epoch);
}

void Core::receive_message(const Head& head, const HostPort& from, const Message& message,
                           Instant now) {
  if (const auto* ping = std::get_if<Ping>(&message)) {
    const DropReason drop = swim_.receive_ping(*ping, from);
    if (drop != DropReason::kNone) count_drop(drop);
  } else if (const auto* request = std::get_if<PingRequest>(&message)) {
    swim_.receive_ping_request(*request, from, now);
  } else if (const auto* ack = std::get_if<Ack>(&message)) {
    path_.acked(ack->number, now);
    swim_.receive_ack(*ack);
  } else if (const auto* testimony = std::get_if<Testimony>(&message)) {
    swim_.receive_testimony(head.sender, *testimony);
  } else if (const auto* claim = std::get_if<Claim>(&message)) {
    swim_.receive_claim(*claim, from, true, now);
  } else if (const auto* event = std::get_if<EntryEvent>(&message)) {
    // Members first: an entry may be of one this packet introduced.
    settle(now);
    receive_entry(*event, now);
  } else if (const auto* digest = std::get_if<Digest>(&message)) {
    receive_digest(head.sender, *digest, now);
  } else if (const auto* shared = std::get_if<SharedDigest>(&message)) {
    receive_shared_digest(head.sender, *shared, now);
  } else if (const auto* sync = std::get_if<Sync>(&message)) {
    settle(now);
    receive_sync(head, *sync, now);
  }
  // What belongs to exchanges says nothing outside of one.
}

void Core::receive_entry(const EntryEvent& event, Instant now) {
  if (swim_.is_forgotten(event.owner)) return;
  if (tables_.receive(event, now)) pass_on(event, now);
}

void Core::pass_on(const EntryEvent& event, Instant now) {
  Bytes encoded = encode_message(event);
  if (network_size(event.network) > config_.table.direct_peers) {
    if (relays_.empty()) relay_due_ = now + kRelayDelay;
    relays_[event.network].push_back(encoded);
  }
  enqueue(event.network, std::move(encoded), false);
}

// Carries news between the parts: after any input.
void Core::settle(Instant now) {
  for (Swim::Change& change : swim_.take_changes()) {
    const bool live =
        change.info.state == MemberState::kAlive || change.info.state == MemberState::kSuspect;
    if (!swim_.is_forgotten(change.info.id)) tables_.set_present(change.info.id, live);
    if (change.returned && swim_.is_live(change.info.id)) {
      if (members_unsynced_) {
        // The first contact tells a new node everything.
        members_unsynced_ = false;
        std::set<NetworkId> all;
        for (const NetworkId& network : tables_.networks()) all.insert(network);
        want_sync(change.info.id, all, true, now);
      } else if (rng_.below(swim_.live_count()) < config_.swim.reconnect_probers) {
        send_digest(change.info.id, {Tables::directory()});
      }
    }
    effects_.members.push_back(std::move(change.info));
  }
  greet_peers();
}

void Core::restore(const std::vector<Claim>& members, const std::vector<EntryEvent>& entries,
                   Instant now) {
  now_ = now;
  members_unsynced_ = false;
  for (const Claim& claim : members) swim_.learn(claim, claim.address, now);
  for (Swim::Change& change : swim_.take_changes()) {
    tables_.set_present(change.info.id, swim_.is_live(change.info.id));
    effects_.members.push_back(std::move(change.info));
  }
  for (const EntryEvent& event : entries) tables_.receive(event, now);
  // Nobody is left to be greeted, to be told or to be asked.
  tables_.take_new_peers();
  tables_.take_own_events();
  unsynced_ = {};
}

void Core::set_seeds(std::vector<HostPort> seeds, Instant now) {
  swim_.set_seeds(std::move(seeds), now);
}

void Core::join_network(const NetworkId& network, Instant now) {
  if (tables_.joined(network)) return;
  now_ = now;
  tables_.join(network);
  unsynced_.set(network, now);
  recent_joins_.set(network, now + kRecentJoin);
}

void Core::leave_network(const NetworkId& network) {
  if (network == Tables::directory() || !tables_.joined(network)) return;
  // The withdrawals go out while the network's peers are still known here.
  tables_.leave(network);
  for (auto& [peer, syncing] : syncing_) syncing.networks.erase(network);
  push_own_events();
  relays_.erase(network);
  unsynced_.erase(network);
  recent_joins_.erase(network);
}

Status Core::upsert(const NetworkId& network, const std::string& key, Bytes value) {
  return tables_.upsert(network, key, std::move(value));
}

void Core::remove(const NetworkId& network, const std::string& key) {
  tables_.remove(network, key);
}

void Core::forget(const NodeId& node, Instant now) {
  swim_.forget(node);
  settle(now);
  tables_.forget(node);
  pending_.erase(node);
  syncing_.erase(node);
}

void Core::leave(Instant now) { swim_.leave(now); }

void Core::tick(Instant now) {
  now_ = now;
  if (now > wake_due_) swim_.resume(now - wake_due_, now);
  wake_due_ = now;
  swim_.tick(now);
  settle(now);
  recent_joins_.take_due(now);
  push_own_events();
  relay(now);
  if (now >= next_repeat_) repeat_round(now);
  if (now >= next_digests_) digest_round(now);
  tables_.expire_parked(now);
  sync_unsynced(now);
  repair_gaps(now);
  repeat_syncs(now);
  start_exchanges(now);
  probe_path(now);
  if (swim_.left(now) && !left_told_) {
    left_told_ = true;
    effects_.left = true;
  }
}

size_t Core::network_size(const NetworkId& network) const {
  return network == Tables::directory() ? swim_.live_count() : tables_.peer_count(network);
}

std::vector<NodeId> Core::targets(const NetworkId& network, size_t count) {
  if (network == Tables::directory()) return swim_.random_live(count);
  return tables_.sample_peers(network, count, rng_);
}

void Core::enqueue(const NetworkId& network, Bytes encoded, bool own) {
  const size_t size = network_size(network);
  if (size == 0) return;  // who joins later asks
  const bool small = size <= config_.table.direct_peers;
  const auto rounds = static_cast<size_t>(std::ceil(std::log10(static_cast<double>(size + 2))));
  // In a small network the owner reached everybody; one repeat each by the others covers losses.
  const size_t repeats = small && !own ? 1 : rounds * config_.table.retransmit_factor;
  const auto it = queues_.try_emplace(network, config_.table.max_queue).first;
  if (it->second.empty()) {
    next_repeat_ = std::max(next_repeat_, now_ + config_.table.gossip_interval);
  }
  const size_t before = it->second.bytes();
  const bool room = queued_ + encoded.size() <= config_.table.max_queues;
  if (!room || !it->second.push(std::move(encoded), own, repeats)) {
    ++counters_.events_overflowed;
    // Who may have missed it is told that something differs sooner than it would be.
    next_digests_ = std::min(next_digests_, now_ + kOverflowDigests);
  }
  queued_ += it->second.bytes() - before;
  if (it->second.empty()) queues_.erase(it);
}

void Core::push_own_events() {
  std::map<NetworkId, std::vector<Bytes>> by_network;
  // The directory is network zero and sorts first: joinings go out before what is in them.
  for (const EntryEvent& event : tables_.take_own_events()) {
    by_network[event.network].push_back(encode_message(event));
  }
  for (auto& [network, events] : by_network) {
    const bool small = network_size(network) <= config_.table.direct_peers;
    const std::vector<NodeId> to =
        targets(network, small ? config_.table.direct_peers : relay_fanout(network));
    std::vector<Bytes> packet;
    if (recent_joins_.contains(network)) {
      if (const auto joining = tables_.join_event(network)) {
        packet.push_back(encode_message(*joining));
      }
    }
    packet.insert(packet.end(), events.begin(), events.end());
    send_events(to, packet);
    for (Bytes& event : events) enqueue(network, std::move(event), true);
  }
}

void Core::relay(Instant now) {
  if (relays_.empty() || now < relay_due_) return;
  for (auto& [network, events] : std::exchange(relays_, {})) {
    send_events(targets(network, relay_fanout(network)), events);
  }
}

// ln(n) + 2 random targets per relay reach all of n nodes in the first wave with a probability of
// e^-e^-2 = 87 % (Kermarrec et al. 2003); the repeats are for the rest.
size_t Core::relay_fanout(const NetworkId& network) const {
  const auto size = static_cast<double>(network_size(network) + 1);
  return static_cast<size_t>(std::ceil(std::log(size))) + 2;
}

void Core::repeat_round(Instant now) {
  next_repeat_ = now + config_.table.gossip_interval;
  for (auto it = queues_.begin(); it != queues_.end();) {
    queued_ -= it->second.bytes();
    const std::vector<Bytes> events = it->second.take_round(kRepeatPackets * plain_budget());
    queued_ += it->second.bytes();
    send_events(targets(it->first, config_.table.fanout), events);
    it = it->second.empty() ? queues_.erase(it) : std::next(it);
  }
}

void Core::send_events(const std::vector<NodeId>& to, const std::vector<Bytes>& events) {
  if (events.empty()) return;
  for (const NodeId& node : to) {
    const auto address = swim_.address_of(node);
    if (!address) continue;
    Packer packer(swim_.head(), plain_budget());
    for (const Bytes& event : events) packer.add(event);
    emit(*address, packer, false);
  }
}

void Core::send(const HostPort& to, const std::vector<Message>& messages) {
  Packer packer(swim_.head(), plain_budget());
  for (const Message& message : messages) packer.add(encode_message(message));
  emit(to, packer, !messages.empty());
}

void Core::emit(const HostPort& to, Packer& packer, bool even_empty) {
  swim_.piggyback(packer, to);
  for (Bytes& plain : packer.take(even_empty)) {
    effects_.datagrams.push_back({to, peer_at(to), std::move(plain)});
  }
}

// Who was just heard from there, or is known to be there. A failed member may be back in another
// life: it is called openly.
Peer Core::peer_at(const HostPort& address) const {
  const auto it = heard_.find(address);
  return it != heard_.end() ? it->second : swim_.live_at(address);
}

void Core::probe_path(Instant now) {
  const auto any = [this] {
    const std::vector<NodeId> live = swim_.random_live(1);
    return live.empty() ? NodeId() : live.front();
  };
  const auto ask = path_.tick(now, any, [this](const NodeId& node) { return swim_.is_live(node); });
  if (!ask) return;
  Bytes plain = encode_head(swim_.head());
  const Bytes ping = encode_message(Ping{ask->number, ask->peer});
  plain.insert(plain.end(), ping.begin(), ping.end());
  const Bytes padding = encode_padding(path_.most() - kSealOverhead - plain.size(), rng_);
  plain.insert(plain.end(), padding.begin(), padding.end());
  effects_.datagrams.push_back(
      {*swim_.address_of(ask->peer), swim_.peer(ask->peer), std::move(plain)});
}

Effects Core::take_effects(Instant now) {
  now_ = now;
  settle(now);
  push_own_events();
  for (const Swim::Outgoing& out : swim_.take_outgoing()) send(out.to, out.messages);
  start_tcp_probes();
  for (Tables::Event& event : tables_.take_events()) effects_.entries.push_back(std::move(event));
  for (; callers_count_ > 0; --callers_count_) {
    effects_.datagrams.push_back({callers_[callers_count_ - 1], {}, encode_head(swim_.head())});
  }
  heard_.clear();
  wake_due_ = std::max(next_deadline(), now);
  return std::exchange(effects_, {});
}

Instant Core::next_deadline() const {
  Instant next = std::min(swim_.next_deadline(), next_digests_);
  next = std::min(next, path_.next_deadline());
  if (!relays_.empty()) next = std::min(next, relay_due_);
  if (!queues_.empty()) next = std::min(next, next_repeat_);
  if (swim_.live_count() > 0) next = std::min(next, unsynced_.next());
  for (const auto& [peer, syncing] : syncing_) next = std::min(next, syncing.again);
  // Waiting for a slot ends with what is in flight or reconciled.
  if (may_start()) {
    for (const auto& [peer, pending] : pending_) next = std::min(next, pending.due);
  }
  return std::min({next, tables_.next_gap(), tables_.next_expiry()});
}

Counters Core::counters() const {
  Counters all = counters_;
  all.suspicions = swim_.counts().suspicions;
  all.failures = swim_.counts().failures;
  all.refutations = swim_.counts().refutations;
  all.stalls = swim_.counts().stalls;
  all.suspicions_lapsed = swim_.counts().lapses;
  all.isolations = swim_.counts().isolations;
  all.entries_refused = tables_.counts().refused;
  return all;
}

}  // namespace shoal::gossip
