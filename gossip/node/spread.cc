#include "gossip/node/spread.h"

#include <algorithm>
#include <cmath>

namespace shoal::gossip {
namespace {

// What an event may cost beside its bytes: seal, head, UDP and IP of its packet.
constexpr size_t kPacketOverhead = 128;
// Events taken from the queue at once, in packets: between two looks at what may be sent.
constexpr size_t kRoundPackets = 16;
// What still goes along with other packets after this is old.
constexpr Duration kEchoAge = std::chrono::seconds(1);
constexpr size_t kMinFanout = 4;
// Type, length, network and count of a Have.
constexpr size_t kHaveHead = 3 + kIdLength + 2;

// As many as a message takes, each.
std::vector<std::vector<uint32_t>> split(const std::vector<uint32_t>& tags) {
  std::vector<std::vector<uint32_t>> parts;
  for (size_t at = 0; at < tags.size(); at += kMaxTags) {
    const auto first = tags.begin() + static_cast<std::ptrdiff_t>(at);
    parts.emplace_back(first,
                       first + static_cast<std::ptrdiff_t>(std::min(kMaxTags, tags.size() - at)));
  }
  return parts;
}

SharedBytes share(Bytes bytes) { return std::make_shared<const Bytes>(std::move(bytes)); }

}  // namespace

size_t spread_fanout(size_t peers) {
  const double wanted = std::ceil(0.75 * std::log(static_cast<double>(peers + 1)));
  return std::max(kMinFanout, static_cast<size_t>(wanted));
}

Spread::Spread(const SpreadConfig& config, Audience& audience, size_t packet_room)
    : config_(config),
      audience_(audience),
      packet_room_(packet_room),
      queue_(config.max_queue),
      packets_(config.packet_rate, config.packet_burst),
      bytes_(config.byte_rate, config.byte_burst),
      recent_({kMaxKnown, kMaxKept, config.keep_event, config.keep_tag}) {}

bool Spread::tell(const EntryEvent& event, News news, Instant now) {
  const uint32_t tag = tag_of(event);
  const SharedBytes encoded = share(encode_message(event));
  know(tag, encoded, now);
  const size_t peers = audience_.audience(event.network);
  if (peers == 0) return true;  // who joins later asks
  const bool small = peers <= config_.direct_peers;
  if (echoes_.size() >= kMaxEchoes) echoes_.pop_front();
  echoes_.push_back({event.network, tag, kEchoes, now});
  if (small && news == News::kHeard) return true;
  const bool own = news == News::kOwn;
  announce_later(event.network, small && own ? &Announcing::own : &Announcing::fresh, tag, now);
  const auto kind = own ? SendQueue::Kind::kOwn : SendQueue::Kind::kRelayed;
  if (queue_.push({event.network, encoded, kind, now})) return true;
  ++counts_.overflowed;
  return false;
}

bool Spread::is_copy(uint32_t tag) {
  if (!recent_.contains(tag)) return false;
  ++counts_.copies;
  return true;
}

void Spread::know(uint32_t tag, SharedBytes encoded, Instant now) {
  if (wanted_.erase(tag) != 0) pull_due_.erase(tag);
  recent_.add(tag, std::move(encoded), now);
}

void Spread::announce_later(const NetworkId& network, std::vector<uint32_t> Announcing::*list,
                            uint32_t tag, Instant now) {
  std::vector<uint32_t>& tags = announcing_[network].*list;
  if (tags.size() >= kMaxAnnounced) tags.erase(tags.begin());
  tags.push_back(tag);
  announce_due_.add(network, now + config_.have_delay);
}

void Spread::receive(const NodeId& from, const Have& have, Instant now) {
  for (const uint32_t tag : have.tags) {
    if (recent_.contains(tag)) continue;
    const auto it = wanted_.find(tag);
    if (it == wanted_.end() && wanted_.size() < kMaxWanted) {
      wanted_[tag].next = from;
      pull_due_.set(tag, now + config_.pull_delay);
    } else if (it != wanted_.end() && !it->second.announced) {
      it->second.next = from;
      it->second.announced = true;
    }
  }
}

void Spread::receive(const NodeId& from, const Pull& pull, Instant now) {
  bytes_.refill(now);
  std::vector<SharedBytes> events;
  size_t size = 0;
  for (const uint32_t tag : pull.tags) {
    const SharedBytes* event = recent_.event(tag);
    if (event == nullptr || bytes_.empty() || size + (*event)->size() > kMaxServed) {
      ++counts_.unserved;
      continue;
    }
    size += (*event)->size();
    events.push_back(*event);
  }
  if (!events.empty()) send({from}, std::move(events));
}

void Spread::tick(Instant now) {
  packets_.refill(now);
  bytes_.refill(now);
  recent_.expire(now);
  flush(now);
  announce(now);
  pull(now);
}

Instant Spread::next_deadline() const {
  return std::min({flush_due(), announce_due_.next(), pull_due_.next()});
}

Instant Spread::flush_due() const {
  if (queue_.empty()) return Instant::max();
  Instant due = std::max(queue_.oldest() + config_.company, last_flush_ + config_.flush_interval);
  if (packets_.empty() && queue_.bytes() < packet_room_) {
    due = std::max(due, std::min(queue_.oldest() + config_.loaded_interval, packets_.ready()));
  }
  return bytes_.empty() ? std::max(due, bytes_.ready()) : due;
}

void Spread::flush(Instant now) {
  if (now < flush_due()) return;
  last_flush_ = now;
  const bool loaded = packets_.empty();
  while (!queue_.empty() && !bytes_.empty()) {
    struct Batch {
      std::vector<SharedBytes> own;
      std::vector<SharedBytes> relayed;
    };
    // The directory is network zero and sorts first: joinings go out before what is in them.
    std::map<NetworkId, Batch> batches;
    for (SendQueue::Item& item : queue_.take(kRoundPackets * packet_room_)) {
      Batch& batch = batches[item.network];
      const bool own = item.kind == SendQueue::Kind::kOwn;
      (own ? batch.own : batch.relayed).push_back(std::move(item.encoded));
    }
    for (auto& [network, batch] : batches) {
      flush_network(network, std::move(batch.own), std::move(batch.relayed), loaded);
    }
  }
}

void Spread::flush_network(const NetworkId& network, std::vector<SharedBytes> own,
                           std::vector<SharedBytes> relayed, bool loaded) {
  if (!own.empty()) {
    std::optional<Bytes> preface = audience_.preface(network);
    if (preface) own.insert(own.begin(), share(std::move(*preface)));
  }
  const size_t peers = audience_.audience(network);
  const size_t fanout = loaded ? kMinFanout : spread_fanout(peers);
  if (peers <= config_.direct_peers) {
    send(audience_.sample(network, config_.direct_peers), std::move(own));
    // Out of exchanges.
    send(audience_.sample(network, fanout), std::move(relayed));
    return;
  }
  own.insert(own.end(), relayed.begin(), relayed.end());
  send(audience_.sample(network, fanout), std::move(own));
}

void Spread::announce(Instant now) {
  // What goes to one node shares packets, so that a joining comes with what is in the network.
  std::map<NodeId, std::vector<SharedBytes>> told;
  const auto tell = [&](const NetworkId& network, size_t count, const std::vector<uint32_t>& tags) {
    if (tags.empty()) return;
    std::vector<SharedBytes> messages;
    for (std::vector<uint32_t>& some : split(tags)) {
      messages.push_back(share(encode_message(Have{network, std::move(some)})));
    }
    for (const NodeId& node : audience_.sample(network, count)) {
      std::vector<SharedBytes>& all = told[node];
      all.insert(all.end(), messages.begin(), messages.end());
    }
  };
  for (const NetworkId& network : announce_due_.take_due(now)) {
    Announcing& announcing = announcing_.at(network);
    tell(network, config_.direct_peers, std::exchange(announcing.own, {}));
    std::vector<uint32_t> tags = std::exchange(announcing.last, {});
    if (announcing.again.size() >= kManyTags) announcing.last = announcing.again;
    for (const std::vector<uint32_t>* more : {&announcing.again, &announcing.fresh}) {
      tags.insert(tags.end(), more->begin(), more->end());
    }
    tell(network, (spread_fanout(audience_.audience(network)) + 1) / 2, tags);
    announcing.again = std::exchange(announcing.fresh, {});
    if (announcing.again.empty() && announcing.last.empty()) {
      announcing_.erase(network);
    } else {
      announce_due_.add(network, now + config_.have_interval);
    }
  }
  for (auto& [node, messages] : told) send({node}, std::move(messages));
}

void Spread::pull(Instant now) {
  if (pull_due_.next() > now) return;
  std::map<NodeId, std::vector<uint32_t>> asked;
  // A little early for some, for the sake of one packet.
  for (const uint32_t tag : pull_due_.take_due(now + config_.pull_delay / 2)) {
    Wanted& wanted = wanted_.at(tag);
    if (wanted.asked == kPulls) {
      wanted_.erase(tag);  // until it is announced again
      continue;
    }
    asked[wanted.next].push_back(tag);
    wanted.announced = false;
    ++wanted.asked;
    pull_due_.set(tag, now + config_.pull_retry);
    ++counts_.pulls;
  }
  for (auto& [node, tags] : asked) {
    std::vector<SharedBytes> messages;
    for (std::vector<uint32_t>& some : split(tags)) {
      messages.push_back(share(encode_message(Pull{std::move(some)})));
    }
    send({node}, std::move(messages));
  }
}

void Spread::piggyback(Packer& packer, Instant now) {
  while (!echoes_.empty() && now - echoes_.front().since > kEchoAge) echoes_.pop_front();
  std::map<NetworkId, Have> said;
  size_t room = packer.room();
  for (size_t left = std::min(echoes_.size(), kEchoTags); left > 0; --left) {
    Echo& echo = echoes_.front();
    const auto known = said.find(echo.network);
    const size_t size = sizeof(uint32_t) + (known == said.end() ? kHaveHead : 0);
    if (size > room) break;
    room -= size;
    Have& have = known == said.end() ? said[echo.network] : known->second;
    have.network = echo.network;
    have.tags.push_back(echo.tag);
    if (--echo.left > 0) echoes_.push_back(std::move(echo));
    echoes_.pop_front();
  }
  for (const auto& [network, have] : said) packer.add(encode_message(have));
}

void Spread::send(std::vector<NodeId> to, std::vector<SharedBytes> messages) {
  if (to.empty() || messages.empty()) return;
  size_t size = 0;
  for (const SharedBytes& message : messages) size += message->size();
  const size_t packets = (size + packet_room_ - 1) / packet_room_;
  packets_.take(static_cast<double>(packets * to.size()));
  bytes_.take(static_cast<double>((size + packets * kPacketOverhead) * to.size()));
  outgoing_.push_back({std::move(to), std::move(messages)});
}

}  // namespace shoal::gossip
