// Reconciliation of networks with a peer: sessions of gossip/merkle, a question at a time for all
// networks that differ. While it is little it goes in datagrams of one packet each way, sent again
// when nothing comes; what is more goes over exchanges, in slices, so that no turn takes long.
#include <algorithm>

#include "gossip/node/core.h"

namespace shoal::gossip {
namespace {

// A datagram that is not answered is asked again after this, and so often.
constexpr Duration kSyncRetry = std::chrono::milliseconds(250);
constexpr size_t kSyncTries = 4;
// Questions in datagrams; a session that is not over by then has much to bring.
constexpr size_t kDatagramRounds = 8;
// What a question or an answer about one network is given at least.
constexpr size_t kLeastBudget = 256;
// Of the bytes of a datagram: kind, number, and what a message may be beyond its budget.
constexpr size_t kDatagramSlack = 300;
constexpr size_t kPartOverhead = kWireId + 2;
// What a step brought is news to others too; a large table is not, and is not passed on.
constexpr size_t kMaxNews = 64;

}  // namespace

void Core::begin_sync(const NodeId& peer, const std::set<NetworkId>& networks, Instant now) {
  if (networks.empty() || !swim_.address_of(peer)) return;
  const auto [it, is_new] = syncing_.try_emplace(peer);
  for (const NetworkId& network : networks) {
    if (!tables_.joined(network) || it->second.networks.contains(network)) continue;
    it->second.networks.emplace(
        network,
        Syncing::Network{tables_.begin_session(network, rng_.below(2) == 0), std::nullopt});
  }
  if (!is_new) return;
  ++counters_.exchanges_started;
  step_sync(peer, now);
}

// The next question, of as many networks as there is room for.
void Core::step_sync(const NodeId& peer, Instant now) {
  const auto it = syncing_.find(peer);
  if (it == syncing_.end()) return;
  Syncing& syncing = it->second;
  syncing.streams = syncing.streams || ++syncing.rounds > kDatagramRounds;
  const size_t budget = syncing.streams ? kSliceBudget : plain_budget() - kDatagramSlack;
  Sync question{SyncKind::kQuestion, next_sync_, {}}, last{SyncKind::kLast, next_sync_, {}};
  size_t used = 0;
  for (auto network = syncing.networks.begin(); network != syncing.networks.end();) {
    if (used + kLeastBudget > budget && !question.parts.empty()) break;
    auto& [session, asked] = network->second;
    if (!asked) {
      asked = tables_.ask(network->first, session,
                          std::max(budget - std::min(budget, used), kLeastBudget), now);
    }
    if (asked && session.expects_answer()) {
      used += asked->wire_bytes() + kPartOverhead;
      question.parts.push_back({network->first, true, *asked});
      ++network;
      continue;
    }
    if (asked) last.parts.push_back({network->first, true, std::move(*asked)});
    if (session.complete()) unsynced_.erase(network->first);
    network = syncing.networks.erase(network);
  }
  ++next_sync_;
  if (!last.parts.empty()) say_last(peer, last);
  if (question.parts.empty()) return end_sync(peer);
  Packer packer(swim_.head(), kMaxFrame - kSealOverhead);
  packer.add(encode_message(question));
  syncing.plain = packer.take().front();
  syncing.number = question.number;
  syncing.tries = 0;
  send_sync(peer, syncing, now);
}

void Core::send_sync(const NodeId& peer, Syncing& syncing, Instant now) {
  const auto address = swim_.address_of(peer);
  if (!address) return end_sync(peer);
  syncing.streams = syncing.streams || syncing.plain.size() > plain_budget();
  if (!syncing.streams) {
    ++syncing.tries;
    syncing.again = now + kSyncRetry;
    effects_.datagrams.push_back({*address, swim_.peer(peer), syncing.plain});
    return;
  }
  syncing.again = Instant::max();
  const uint64_t id = next_exchange_++;
  in_flight_[id] = {InFlight::What::kSync, peer, {}};
  effects_.exchanges.push_back({id, *address, swim_.peer(peer), syncing.plain});
}

// Not repeated: the other side has all by now, and what it does not know of it, it finds itself.
void Core::say_last(const NodeId& peer, const Sync& last) {
  const auto address = swim_.address_of(peer);
  if (!address) return;
  Packer packer(swim_.head(), kMaxFrame - kSealOverhead);
  packer.add(encode_message(last));
  Bytes plain = packer.take().front();
  if (plain.size() <= plain_budget()) {
    effects_.datagrams.push_back({*address, swim_.peer(peer), std::move(plain)});
    return;
  }
  const uint64_t id = next_exchange_++;
  in_flight_[id] = {InFlight::What::kPush, peer, {}};
  effects_.exchanges.push_back({id, *address, swim_.peer(peer), std::move(plain)});
}

void Core::end_sync(const NodeId& peer) { syncing_.erase(peer); }

void Core::repeat_syncs(Instant now) {
  std::vector<NodeId> silent;
  for (auto& [peer, syncing] : syncing_) {
    if (syncing.again <= now) silent.push_back(peer);
  }
  for (const NodeId& peer : silent) {
    Syncing& syncing = syncing_.at(peer);
    if (syncing.tries < kSyncTries) {
      send_sync(peer, syncing, now);
    } else {
      ++counters_.exchanges_failed;
      end_sync(peer);
    }
  }
}

// In a datagram.
void Core::receive_sync(const Head& head, const Sync& sync, Instant now) {
  if (sync.kind == SyncKind::kAnswer || sync.kind == SyncKind::kTooLarge) {
    return receive_sync_answer(head.sender, sync, now);
  }
  const auto address = swim_.address_of(head.sender);
  if (!address) return;
  ++counters_.exchanges_answered;
  const Sync answer = answer_sync(sync, plain_budget() - kDatagramSlack, now);
  if (sync.kind == SyncKind::kLast) return;
  Packer packer(swim_.head(), kMaxFrame - kSealOverhead);
  packer.add(encode_message(answer));
  Bytes plain = packer.take().front();
  if (plain.size() <= plain_budget()) {
    effects_.datagrams.push_back({*address, swim_.peer(head.sender), std::move(plain)});
  } else {
    send(*address, {Sync{SyncKind::kTooLarge, sync.number, {}}});
  }
}

Sync Core::answer_sync(const Sync& question, size_t budget, Instant now) {
  Sync answer{SyncKind::kAnswer, question.number, {}};
  size_t used = 0;
  for (const Sync::Part& part : question.parts) {
    if (!part.joined) continue;
    if (!tables_.joined(part.network)) {
      used += kPartOverhead;
      answer.parts.push_back({part.network, false, {}});
      continue;
    }
    const bool room = used + kLeastBudget <= budget || answer.parts.empty();
    if (!room && question.kind == SyncKind::kQuestion) break;
    merkle::Message ranges = tables_.answer(
        part.network, part.ranges, std::max(budget - std::min(budget, used), kLeastBudget), now);
    used += ranges.wire_bytes() + kPartOverhead;
    answer.parts.push_back({part.network, true, std::move(ranges)});
  }
  pass_on_news(now);
  return answer;
}

void Core::receive_sync_answer(const NodeId& from, const Sync& answer, Instant now) {
  const auto it = syncing_.find(from);
  if (it == syncing_.end() || it->second.number != answer.number) return;
  Syncing& syncing = it->second;
  if (answer.kind == SyncKind::kTooLarge) {
    if (syncing.streams) return;
    syncing.streams = true;
    return send_sync(from, syncing, now);
  }
  if (answer.kind != SyncKind::kAnswer) return;
  size_t answered = 0;
  for (const Sync::Part& part : answer.parts) {
    const auto network = syncing.networks.find(part.network);
    if (network == syncing.networks.end() || !network->second.question) continue;
    ++answered;
    network->second.question.reset();
    if (!part.joined || !tables_.receive(part.network, network->second.session, part.ranges, now)) {
      syncing.networks.erase(network);
    }
  }
  pass_on_news(now);
  if (answered == 0) return end_sync(from);
  step_sync(from, now);
}

void Core::pass_on_news(Instant now) {
  const std::vector<EntryEvent> news = tables_.take_news();
  const bool few = news.size() <= kMaxNews;
  for (const EntryEvent& event : news) {
    few ? tell(event, Spread::News::kLearnt) : spread_.note(event, now);
  }
}

}  // namespace shoal::gossip
