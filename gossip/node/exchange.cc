// Anti-entropy between two nodes, digests first:
//
//   A -> B  datagram  Digest: one hash for the members, one per shared network
//   B -> A  exchange  asks for what differs: member buckets, owner digests per network
//   A -> B  answer    claims of differing buckets; events and summaries B lacks; what A wants
//   B -> A  exchange  what A wanted (answered empty)
#include <algorithm>

#include "gossip/node/core.h"

namespace shoal::gossip {
namespace {

// Bytes of events in one answer or push; the frame's bound leaves room for lists and claims.
constexpr size_t kAnswerBudget = 1U << 20;
// Bytes of owner digests in one question.
constexpr size_t kQuestionBudget = 2U << 20;
constexpr size_t kOwnerDigestSize = kWireId + 24;
// Peers waiting for an exchange; beyond it they are passed over, and digests come again.
constexpr size_t kMaxPending = 64;
// Differences are often events in flight: most are gone after this.
constexpr Duration kSyncGrace = std::chrono::milliseconds(100);
// A network just joined is asked for again at this pace until it was answered.
constexpr Duration kUnsyncedRetry = std::chrono::milliseconds(500);
constexpr size_t kNetworksPerDigest = 32;
// What an exchange brought is news to others too; a large table is not, and is not relayed.
constexpr size_t kMaxRelayedEvents = 64;

std::optional<Spread::News> worth_relaying(const std::vector<Message>& messages) {
  const auto events = std::count_if(messages.begin(), messages.end(), [](const Message& message) {
    return std::holds_alternative<EntryEvent>(message);
  });
  if (events > static_cast<std::ptrdiff_t>(kMaxRelayedEvents)) return std::nullopt;
  return Spread::News::kLearnt;
}

// A node that is new hears of all members at once; the others know them.
bool many_claims(const std::vector<Message>& messages) {
  return std::count_if(messages.begin(), messages.end(), [](const Message& message) {
           return std::holds_alternative<Claim>(message);
         }) > static_cast<std::ptrdiff_t>(kMaxRelayedEvents);
}

bool is_cut(const std::vector<Message>& messages) {
  return std::any_of(messages.begin(), messages.end(),
                     [](const Message& message) { return std::holds_alternative<More>(message); });
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

void Core::digest_round(Instant now) {
  // Off the beat by a tenth, so that rounds do not align over the cluster.
  const auto interval = static_cast<uint64_t>(config_.table.anti_entropy_interval.count());
  next_digests_ =
      now + Duration(static_cast<int64_t>(interval * 9 / 10 + rng_.below(interval / 5 + 1)));
  std::map<NodeId, std::set<NetworkId>> digests;
  for (const NetworkId& network : tables_.networks()) {
    for (const NodeId& peer : targets(network, 1)) digests[peer].insert(network);
  }
  for (const auto& [peer, networks] : digests) send_digest(peer, networks);
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
  const bool members = digest.members != swim_.digest();
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
  for (auto it = pending_.begin(); it != pending_.end() && in_flight_.size() < kMaxInFlight;) {
    if (it->second.due > now) {
      ++it;
      continue;
    }
    // What the peer was said to have may be here by now.
    std::erase_if(it->second.networks, [this](const auto& wanted) {
      return !tables_.joined(wanted.first) ||
             (wanted.second != 0 && wanted.second == tables_.digest(wanted.first));
    });
    if (it->second.members || !it->second.networks.empty()) {
      start_exchange(it->first, it->second);
    }
    it = pending_.erase(it);
  }
}

void Core::start_exchange(const NodeId& peer, const Pending& pending) {
  const auto address = swim_.address_of(peer);
  if (!address) return;
  Packer question(swim_.head(), kMaxFrame - kSealOverhead);
  InFlight asked{peer, {}, false};
  if (pending.members) question.add(encode_message(swim_.digests()));
  size_t size = 0;
  for (const auto& [network, digest] : pending.networks) {
    const NetworkState state = tables_.state(network);
    size += state.owners.size() * kOwnerDigestSize;
    if (size > kQuestionBudget && !asked.networks.empty()) break;
    question.add(encode_message(state));
    asked.networks.insert(network);
  }
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
  size_t budget = kAnswerBudget;
  bool cut = false;
  const std::optional<Spread::News> news = worth_relaying(packet->messages);
  const bool cut_push = is_cut(packet->messages);
  for (const Message& message : packet->messages) {
    if (const auto* theirs = std::get_if<MemberDigests>(&message)) {
      const MemberDigests& ours = swim_.digests();
      MemberDifference difference;
      for (size_t i = 0; i < kMemberBuckets; ++i) {
        if (ours.buckets[i] != theirs->buckets[i]) difference.buckets[i / 8] |= 1U << (i % 8);
      }
      answer.add(encode_message(difference));
      for (const Claim& claim : swim_.claims_in(difference)) answer.add(encode_message(claim));
    } else if (const auto* state = std::get_if<NetworkState>(&message)) {
      Tables::Difference difference = tables_.compare(*state, budget);
      for (const Message& lacking : difference.messages) answer.add(encode_message(lacking));
      if (!difference.wanted.empty()) {
        answer.add(
            encode_message(NetworkState{state->network, true, std::move(difference.wanted)}));
      }
      cut = cut || difference.cut;
    } else if (const auto* claim = std::get_if<Claim>(&message)) {
      swim_.receive_claim(*claim, from, false, now);
    } else if (const auto* event = std::get_if<EntryEvent>(&message)) {
      settle(now);
      receive_entry(*event, news, now);
    } else if (const auto* summary = std::get_if<Summary>(&message)) {
      if (!swim_.is_forgotten(summary->owner)) tables_.receive(*summary, cut_push, now);
    }
  }
  settle(now);
  if (cut) answer.add(encode_message(More{}));
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
    return;
  }
  settle(now);
  const bool more = is_cut(packet->messages);
  const std::optional<Spread::News> news = worth_relaying(packet->messages);
  const bool many = many_claims(packet->messages);
  for (const Message& message : packet->messages) {
    if (const auto* claim = std::get_if<Claim>(&message)) {
      many ? swim_.learn(*claim, packet->head.address, now)
           : swim_.receive_claim(*claim, packet->head.address, false, now);
    } else if (const auto* event = std::get_if<EntryEvent>(&message)) {
      settle(now);
      receive_entry(*event, news, now);
    } else if (const auto* summary = std::get_if<Summary>(&message)) {
      if (!swim_.is_forgotten(summary->owner)) tables_.receive(*summary, more, now);
    }
  }
  settle(now);
  if (asked.push) return;
  push_wanted(asked, packet->messages);
  if (more) {
    want_sync(asked.peer, asked.networks, false, now);
  } else {
    for (const NetworkId& network : asked.networks) unsynced_.erase(network);
  }
}

// The second half: what the answerer wanted, and claims it did not have.
void Core::push_wanted(const InFlight& asked, const std::vector<Message>& messages) {
  const auto address = swim_.address_of(asked.peer);
  if (!address) return;
  Packer push(swim_.head(), kMaxFrame - kSealOverhead);
  std::map<NodeId, Claim> theirs;
  for (const Message& message : messages) {
    if (const auto* claim = std::get_if<Claim>(&message)) theirs[claim->id] = *claim;
  }
  size_t budget = kAnswerBudget;
  bool cut = false;
  for (const Message& message : messages) {
    if (const auto* difference = std::get_if<MemberDifference>(&message)) {
      for (const Claim& claim : swim_.claims_in(*difference)) {
        const auto known = theirs.find(claim.id);
        const bool same = known != theirs.end() && known->second.kind == claim.kind &&
                          known->second.incarnation == claim.incarnation;
        if (!same) push.add(encode_message(claim));
      }
    } else if (const auto* wanted = std::get_if<NetworkState>(&message); wanted != nullptr) {
      if (!wanted->wanted) continue;
      const Tables::Difference difference = tables_.serve(*wanted, budget);
      for (const Message& lacking : difference.messages) push.add(encode_message(lacking));
      cut = cut || difference.cut;
    }
  }
  if (cut) push.add(encode_message(More{}));
  std::vector<Bytes> frames = push.take();
  if (frames.empty()) return;
  const uint64_t id = next_exchange_++;
  in_flight_[id] = {asked.peer, asked.networks, true};
  effects_.exchanges.push_back({id, *address, swim_.peer(asked.peer), std::move(frames.front())});
}

}  // namespace shoal::gossip
