#include "gossip/node/core.h"

#include <algorithm>

namespace shoal::gossip {
namespace {

// Own events carry the directory entry of their network along for this long after joining it, so
// that who has not heard of the joining shows them at once.
constexpr Duration kRecentJoin = std::chrono::seconds(5);
// Who starts asks one other for all members. Until that is done it differs from everybody, and
// nobody else need do anything about it.
constexpr Duration kStartGrace = std::chrono::seconds(1);
constexpr Duration kOverflowDigests = std::chrono::seconds(1);

// Messages in a packet any path takes, about.
constexpr size_t kPacketRoom = kSafeDatagram - kSealOverhead - 64;

}  // namespace

Core::Core(const CoreConfig& config, Rng& rng, Instant now)
    : config_(config),
      rng_(rng),
      swim_(config.swim, config.self, config.address, first_incarnation(config.epoch), rng, now),
      tables_(config.table, config.self, config.epoch),
      spread_(config_.spread, *this, kPacketRoom),
      path_(config.packet_budget, rng, now),
      now_(now),
      next_digests_(now + Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>(
                              config.table.anti_entropy_interval.count()))))) {
  unsynced_.set(Tables::directory(), now);
}

void Core::receive_packet(const HostPort& from, ByteView plain, Instant now) {
  now_ = now;
  const Result<Packet> packet = decode_packet(plain, &spread_);
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
    if (const auto* ack = std::get_if<Ack>(&message)) swim_.receive_ack(head.sender, *ack);
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
    swim_.receive_ack(head.sender, *ack);
  } else if (const auto* testimony = std::get_if<Testimony>(&message)) {
    swim_.receive_testimony(head.sender, *testimony);
  } else if (const auto* claim = std::get_if<Claim>(&message)) {
    swim_.receive_claim(*claim, from, true, now);
  } else if (const auto* event = std::get_if<EntryEvent>(&message)) {
    // Members first: an entry may be of one this packet introduced.
    settle(now);
    receive_entry(*event, now);
  } else if (const auto* digest = std::get_if<Digest>(&message)) {
    settle(now);
    receive_digest(head.sender, *digest, now);
  } else if (const auto* have = std::get_if<Have>(&message)) {
    if (tables_.joined(have->network)) spread_.receive(head.sender, *have, now);
  } else if (const auto* pull = std::get_if<Pull>(&message)) {
    spread_.receive(head.sender, *pull, now);
  } else if (const auto* shared = std::get_if<SharedDigest>(&message)) {
    settle(now);
    receive_shared_digest(head.sender, *shared, now);
  } else if (const auto* sync = std::get_if<Sync>(&message)) {
    settle(now);
    receive_sync(head, *sync, now);
  }
  // What belongs to exchanges says nothing outside of one.
}

void Core::receive_entry(const EntryEvent& event, Instant now) {
  if (swim_.is_forgotten(event.owner)) return;
  if (!tables_.receive(event, now)) return spread_.note(event, now);
  tell(event, Spread::News::kHeard);
}

void Core::tell(const EntryEvent& event, Spread::News news) {
  if (spread_.tell(event, news, now_)) return;
  // Who may have missed what was dropped is told that something differs sooner than it would be.
  next_digests_ = std::min(next_digests_, now_ + kOverflowDigests);
}

// Carries news between the parts: after any input.
void Core::settle(Instant now) {
  for (Swim::Change& change : swim_.take_changes()) {
    const bool live =
        change.info.state == MemberState::kAlive || change.info.state == MemberState::kSuspect;
    if (!swim_.is_forgotten(change.info.id)) tables_.set_present(change.info.id, live);
    if (change.started && live) started_.set(change.info.id, now + kStartGrace);
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
  swim_.restore(members);
  for (const Claim& claim : members) tables_.set_present(claim.id, true);
  for (const EntryEvent& event : entries) tables_.receive(event, now);
  restored();
}

void Core::restore(const Core& image, Instant now) {
  now_ = now;
  swim_.restore(image.swim_);
  tables_.restore(image.tables_);
  restored();
}

void Core::restored() {
  members_unsynced_ = false;
  for (Swim::Change& change : swim_.take_changes()) {
    effects_.members.push_back(std::move(change.info));
  }
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
  tables_.leave(network);
  for (auto& [peer, syncing] : syncing_) syncing.networks.erase(network);
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
  started_.erase(node);
  lagging_.erase(node);
}

void Core::leave(Instant now) { swim_.leave(now); }

void Core::tick(Instant now) {
  now_ = now;
  if (now > wake_due_) swim_.resume(now - wake_due_, now);
  wake_due_ = now;
  swim_.tick(now);
  settle(now);
  recent_joins_.take_due(now);
  if (swim_.strained(now)) {
    next_digests_ = std::min(next_digests_, now + config_.table.strained_interval);
  }
  if (now >= next_digests_) digest_round(now);
  compare_started(now);
  compare_reached(now);
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

void Core::push_own_events() {
  for (const EntryEvent& event : tables_.take_own_events()) {
    tell(event, Spread::News::kOwn);
  }
}

std::optional<Bytes> Core::preface(const NetworkId& network) const {
  if (!recent_joins_.contains(network)) return std::nullopt;
  const std::optional<EntryEvent> joining = tables_.join_event(network);
  if (!joining) return std::nullopt;
  return encode_message(*joining);
}

void Core::spread(Instant now) {
  spread_.tick(now);
  for (const Spread::Outgoing& out : spread_.take_outgoing()) {
    for (const NodeId& node : out.to) {
      const auto address = swim_.address_of(node);
      if (!address) continue;
      Packer packer(swim_.head(), plain_budget());
      for (const SharedBytes& message : out.messages) packer.add(*message);
      emit(*address, packer, false, false);
    }
  }
}

void Core::send(const HostPort& to, const std::vector<Message>& messages) {
  Packer packer(swim_.head(), plain_budget());
  for (const Message& message : messages) packer.add(encode_message(message));
  emit(to, packer, !messages.empty(), true);
}

void Core::emit(const HostPort& to, Packer& packer, bool even_empty, bool echo) {
  const bool heard = swim_.piggyback(packer, to);
  if (heard && echo) spread_.piggyback(packer, now_);
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
  spread(now);
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
  Instant next = std::min({swim_.next_deadline(), next_digests_, started_.next()});
  next = std::min({next, path_.next_deadline(), spread_.next_deadline()});
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
  all.events_overflowed = spread_.counts().overflowed;
  all.events_known = spread_.counts().copies;
  all.events_pulled = spread_.counts().pulls;
  return all;
}

}  // namespace shoal::gossip
