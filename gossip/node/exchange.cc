// Anti-entropy between two nodes, digests first:
//
//   A -> B  datagram  SharedDigest: one hash for the members, one for all networks they share
//   B -> A  datagram  Digest: the hashes of those (of many: SharedDigest in parts, and back)
//   A -> B  exchange  MemberDigests, if members differ; the answer has claims of what differs, and
//                     A's of that follow
//   A -> B            Sync: what differs in networks (sync.cc)
#include <algorithm>

#include "gossip/node/core.h"

namespace shoal::gossip {
namespace {

// Peers waiting for an exchange; beyond it they are passed over, and digests come again.
constexpr size_t kMaxPending = 64;
// Differences are often events in flight: most are gone after this.
constexpr Duration kSyncGrace = std::chrono::milliseconds(100);
// A network just joined is asked for again at this pace until it was answered.
constexpr Duration kUnsyncedRetry = std::chrono::milliseconds(500);
constexpr size_t kNetworksPerDigest = 32;
// Peers that one round compares with, so that it ends soon; what they leave out is the next one's,
// which comes sooner by so many times.
constexpr size_t kPeersPerRound = 32;
constexpr uint64_t kHurry = 8;
// After a cut half the cluster speaks again: some of them are enough.
constexpr Duration kReachedSpacing = std::chrono::milliseconds(200);
// Shared networks that are named at once rather than narrowed down.
constexpr size_t kNamedNetworks = 8;
// More claims than this are not news to the others.
constexpr size_t kMaxNews = 64;

// A node that is new hears of all members at once; the others know them.
bool many_claims(const std::vector<Message>& messages) {
  return std::count_if(messages.begin(), messages.end(), [](const Message& message) {
           return std::holds_alternative<Claim>(message);
         }) > static_cast<std::ptrdiff_t>(kMaxNews);
}

}  // namespace

// A present peer in a joined network is told what this node has there. In a large network a few
// do.
void Core::greet_peers() {
  std::map<NodeId, std::set<NetworkId>> greetings;
  for (const Tables::Peer& peer : tables_.take_new_peers()) {
    if (unsynced_.contains(peer.network)) unsynced_.set(peer.network, now_);
    const size_t size = network_size(peer.network);
    const bool small = size <= config_.spread.direct_peers;
    if (!small && rng_.below(size) >= config_.table.greeters) continue;
    greetings[peer.node].insert(peer.network);
  }
  for (const auto& [node, networks] : greetings) send_digest(node, networks);
}

// Every joined network is compared with somebody. Whoever is asked is asked for all networks shared
// with it at once.
void Core::digest_round(Instant now) {
  std::vector<NetworkId> networks = tables_.networks();
  if (digests_from_) {
    const auto first = std::ranges::upper_bound(networks, *digests_from_);
    std::ranges::rotate(networks, first);
  }
  digests_from_.reset();
  std::set<NetworkId> compared;
  size_t peers = 0;
  for (const NetworkId& network : networks) {
    if (compared.contains(network)) continue;
    if (peers == kPeersPerRound) break;
    for (const NodeId& peer : targets(network, 1)) {
      ++peers;
      const std::vector<NetworkId> shared = tables_.shared_with(peer);
      compared.insert(shared.begin(), shared.end());
      send_shared_digest(peer, shared, 1);
    }
    digests_from_ = network;
  }
  const TableConfig& table = config_.table;
  auto interval = static_cast<uint64_t>(
      (swim_.strained(now) ? table.strained_interval : table.anti_entropy_interval).count());
  if (peers < kPeersPerRound) {
    digests_from_.reset();
  } else {
    interval /= kHurry;
  }
  // Off the beat by a tenth, so that rounds do not align over the cluster.
  next_digests_ =
      now + Duration(static_cast<int64_t>(interval * 9 / 10 + rng_.below(interval / 5 + 1)));
}

// Who was not to be reached and speaks has heard what passed this node by, and the other way round.
void Core::compare_reached(Instant now) {
  for (const NodeId& id : swim_.take_reached()) {
    if (now < next_reached_ || !swim_.is_live(id)) continue;
    next_reached_ = now + kReachedSpacing;
    send_shared_digest(id, tables_.shared_with(id), 1);
  }
}

std::vector<uint64_t> Core::shared_parts(const std::vector<NetworkId>& shared, size_t parts) const {
  std::vector<uint64_t> hashes(parts);
  for (const NetworkId& network : shared) {
    const uint64_t hash = merkle::hash_of(network.view());
    hashes[hash % parts] ^= merkle::mix(hash ^ tables_.digest(network));
  }
  return hashes;
}

void Core::send_shared_digest(const NodeId& to, const std::vector<NetworkId>& shared,
                              size_t parts) {
  const auto address = swim_.address_of(to);
  if (address) send(*address, {SharedDigest{swim_.digest(), shared_parts(shared, parts)}});
}

void Core::receive_shared_digest(const NodeId& from, const SharedDigest& digest, Instant now) {
  if (members_differ(from, digest.members)) {
    want_sync(from, {}, true, now + kSyncGrace);
    if (pending_.contains(from)) pending_[from].members_digest = digest.members;
  }
  const std::vector<NetworkId> shared = tables_.shared_with(from);
  const size_t parts = digest.parts.size();
  const std::vector<uint64_t> ours = shared_parts(shared, parts);
  std::set<NetworkId> differing;
  for (const NetworkId& network : shared) {
    const size_t part = merkle::hash_of(network.view()) % parts;
    if (ours[part] == digest.parts[part]) {
      unsynced_.erase(network);
    } else {
      differing.insert(network);
    }
  }
  if (differing.empty()) return;
  if (parts == 1 && differing.size() > kNamedNetworks) {
    send_shared_digest(from, shared, kSharedParts);
  } else {
    send_digest(from, differing);
  }
}

void Core::send_digest(const NodeId& to, const std::set<NetworkId>& networks) {
  const auto address = swim_.address_of(to);
  if (!address) return;
  std::vector<Message> messages;
  Digest digest{swim_.digest(), {}};
  for (const NetworkId& network : networks) {
    if (digest.networks.size() == kNetworksPerDigest) {
      messages.emplace_back(std::exchange(digest, Digest{swim_.digest(), {}}));
    }
    digest.networks.push_back({network, tables_.digest(network)});
  }
  messages.emplace_back(std::move(digest));
  send(*address, messages);
}

void Core::receive_digest(const NodeId& from, const Digest& digest, Instant now) {
  const bool members = members_differ(from, digest.members);
  std::set<NetworkId> differing;
  bool first = false;
  for (const NetworkDigest& network : digest.networks) {
    if (!tables_.joined(network.network)) continue;
    if (tables_.digest(network.network) == network.hash) {
      unsynced_.erase(network.network);
      continue;
    }
    first = first || unsynced_.contains(network.network);
    differing.insert(network.network);
  }
  if (!members && differing.empty()) return;
  want_sync(from, differing, members, first ? now : now + kSyncGrace);
  const auto it = pending_.find(from);
  if (it == pending_.end()) return;
  if (members) it->second.members_digest = digest.members;
  for (const NetworkDigest& network : digest.networks) {
    const auto wanted = it->second.networks.find(network.network);
    if (wanted != it->second.networks.end()) wanted->second = network.hash;
  }
}

void Core::want_sync(const NodeId& peer, const std::set<NetworkId>& networks, bool members,
                     Instant due) {
  const auto known = pending_.find(peer);
  if (known == pending_.end() && pending_.size() >= kMaxPending) return;
  Pending& pending = known != pending_.end() ? known->second : pending_[peer];
  pending.due = known != pending_.end() ? std::min(pending.due, due) : due;
  pending.members = pending.members || members;
  for (const NetworkId& network : networks) pending.networks[network] = 0;
}

bool Core::members_differ(const NodeId& from, uint64_t members) {
  if (members == swim_.digest()) return false;
  if (!started_.contains(from)) return true;
  lagging_.insert(from);
  return false;
}

void Core::compare_started(Instant now) {
  for (const NodeId& id : started_.take_due(now)) {
    if (lagging_.erase(id) == 0 || !swim_.is_live(id)) continue;
    send_shared_digest(id, tables_.shared_with(id), 1);
  }
}

void Core::sync_unsynced(Instant now) {
  for (const NetworkId& network : unsynced_.take_due(now)) {
    unsynced_.set(network, now + kUnsyncedRetry);
    for (const NodeId& peer : targets(network, 1)) want_sync(peer, {network}, false, now);
  }
}

void Core::repair_gaps(Instant now) {
  if (tables_.next_gap() > now) return;
  for (const Tables::Peer& gap : tables_.overdue_gaps(now)) {
    if (swim_.is_live(gap.node)) {
      want_sync(gap.node, {gap.network}, false, now);
    } else {
      for (const NodeId& peer : targets(gap.network, 1)) {
        want_sync(peer, {gap.network}, false, now);
      }
    }
  }
}

void Core::start_exchanges(Instant now) {
  for (auto it = pending_.begin(); it != pending_.end() && may_start();) {
    if (it->second.due > now) {
      ++it;
      continue;
    }
    const NodeId peer = it->first;
    Pending pending = std::move(it->second);
    it = pending_.erase(it);
    // What the peer was said to have may be here by now.
    std::erase_if(pending.networks, [this](const auto& wanted) {
      return !tables_.joined(wanted.first) ||
             (wanted.second != 0 && wanted.second == tables_.digest(wanted.first));
    });
    if (pending.members && pending.members_digest != swim_.digest()) {
      ask_for_members(peer, pending);
    } else {
      std::set<NetworkId> networks;
      for (const auto& [network, digest] : pending.networks) networks.insert(network);
      begin_sync(peer, networks, now);
    }
  }
}

// Members first: entries of unknown owners would be parked.
void Core::ask_for_members(const NodeId& peer, const Pending& pending) {
  const auto address = swim_.address_of(peer);
  if (!address) return;
  Packer question(swim_.head(), kMaxFrame - kSealOverhead);
  question.add(encode_message(swim_.digests()));
  InFlight asked{InFlight::What::kMembers, peer, {}};
  for (const auto& [network, digest] : pending.networks) asked.networks.insert(network);
  const uint64_t id = next_exchange_++;
  ++counters_.exchanges_started;
  in_flight_[id] = std::move(asked);
  effects_.exchanges.push_back({id, *address, swim_.peer(peer), question.take(true).front()});
}

Bytes Core::answer_exchange(ByteView plain, Instant now) {
  now_ = now;
  const Result<Packet> packet = decode_packet(plain);
  if (!packet) {
    count_drop(DropReason::kMalformed);
    return {};
  }
  const HostPort& from = packet->head.address;
  const DropReason drop = swim_.hear(packet->head, from, now);
  if (drop != DropReason::kNone) {
    count_drop(drop);
    return {};
  }
  settle(now);
  if (!packet->messages.empty()) {
    if (const auto* ping = std::get_if<Ping>(&packet->messages.front())) {
      return answer_probe(*packet, *ping, now);
    }
  }
  ++counters_.exchanges_answered;
  Packer answer(swim_.head(), kMaxFrame - kSealOverhead);
  bool synced = false;
  for (const Message& message : packet->messages) {
    if (const auto* theirs = std::get_if<MemberDigests>(&message)) {
      const MemberDigests& ours = swim_.digests();
      MemberDifference difference;
      for (size_t i = 0; i < kMemberBuckets; ++i) {
        if (ours.buckets[i] != theirs->buckets[i]) difference.buckets[i / 8] |= 1U << (i % 8);
      }
      answer.add(encode_message(difference));
      for (const Claim& claim : swim_.claims_in(difference)) answer.add(encode_message(claim));
    } else if (const auto* claim = std::get_if<Claim>(&message)) {
      swim_.receive_claim(*claim, from, false, now);
    } else if (const auto* sync = std::get_if<Sync>(&message); sync != nullptr && !synced) {
      // One of them: what an exchange costs is bounded.
      synced = true;
      settle(now);
      answer.add(encode_message(answer_sync(*sync, kSliceBudget, now)));
    }
  }
  settle(now);
  return answer.take(true).front();
}

void Core::finish_exchange(uint64_t id, const std::optional<ByteView>& answer, Instant now) {
  now_ = now;
  const auto it = in_flight_.find(id);
  if (it == in_flight_.end()) return;
  const InFlight asked = std::move(it->second);
  in_flight_.erase(it);
  const Result<Packet> packet =
      answer ? decode_packet(*answer) : Result<Packet>(unavailable("no answer"));
  if (!packet || swim_.hear(packet->head, packet->head.address, now) != DropReason::kNone) {
    ++counters_.exchanges_failed;
    if (asked.what == InFlight::What::kSync) end_sync(asked.peer);
    return;
  }
  settle(now);
  bool synced = false;
  const bool many = many_claims(packet->messages);
  for (const Message& message : packet->messages) {
    if (const auto* claim = std::get_if<Claim>(&message)) {
      many ? swim_.learn(*claim, packet->head.address, now)
           : swim_.receive_claim(*claim, packet->head.address, false, now);
    } else if (const auto* sync = std::get_if<Sync>(&message); sync != nullptr && !synced) {
      synced = true;
      if (asked.what == InFlight::What::kSync) receive_sync_answer(asked.peer, *sync, now);
    }
  }
  settle(now);
  if (asked.what == InFlight::What::kSync && !synced) end_sync(asked.peer);
  if (asked.what != InFlight::What::kMembers) return;
  push_members(asked.peer, packet->messages);
  begin_sync(asked.peer, asked.networks, now);
}

// The second half: claims that the answerer did not have.
void Core::push_members(const NodeId& peer, const std::vector<Message>& messages) {
  const auto address = swim_.address_of(peer);
  if (!address) return;
  Packer push(swim_.head(), kMaxFrame - kSealOverhead);
  std::map<NodeId, Claim> theirs;
  for (const Message& message : messages) {
    if (const auto* claim = std::get_if<Claim>(&message)) theirs[claim->id] = *claim;
  }
  for (const Message& message : messages) {
    const auto* difference = std::get_if<MemberDifference>(&message);
    if (difference == nullptr) continue;
    for (const Claim& claim : swim_.claims_in(*difference)) {
      const auto known = theirs.find(claim.id);
      const bool same = known != theirs.end() && known->second.kind == claim.kind &&
                        known->second.incarnation == claim.incarnation;
      if (!same) push.add(encode_message(claim));
    }
  }
  std::vector<Bytes> frames = push.take();
  if (frames.empty()) return;
  const uint64_t id = next_exchange_++;
  in_flight_[id] = {InFlight::What::kPush, peer, {}};
  effects_.exchanges.push_back({id, *address, swim_.peer(peer), std::move(frames.front())});
}

}  // namespace shoal::gossip
