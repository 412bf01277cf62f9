// Spread and its queue alone: a few of them on a wire that may lose, and one among made-up peers.
#include "gossip/node/spread.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/ports/sample.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = SendQueue::Kind;
using News = Spread::News;

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}
const NetworkId kNet = named<NetworkId>("net");
const NetworkId kOtherNet = named<NetworkId>("other");
constexpr size_t kRoom = 1300;
constexpr Instant kBegin{1'000'000'000};

NodeId node_number(size_t number) { return named<NodeId>("n" + std::to_string(number) + "x"); }

EntryEvent event_of(const NodeId& owner, uint64_t sequence, size_t size = 20) {
  return {kNet, owner, 1, sequence, false, "key" + std::to_string(sequence), Bytes(size)};
}

SendQueue::Item item(Kind kind, uint8_t first, size_t size, Instant since = kBegin) {
  Bytes bytes(size);
  bytes[0] = first;
  return {kNet, std::make_shared<const Bytes>(std::move(bytes)), kind, since};
}

TEST(SendQueue, KeepsEachKindsOrderAndBound) {
  SendQueue queue(1000);
  for (uint8_t i = 0; i < 10; ++i) EXPECT_TRUE(queue.push(item(Kind::kOwn, i, 100)));
  for (uint8_t i = 0; i < 5; ++i) EXPECT_TRUE(queue.push(item(Kind::kRelayed, i, 100)));
  EXPECT_FALSE(queue.push(item(Kind::kOwn, 10, 250)));
  EXPECT_EQ(queue.bytes(), 950 + 500U) << "three of the oldest own ones made room";
  std::vector<uint8_t> own;
  std::vector<uint8_t> relayed;
  while (!queue.empty()) {
    for (const SendQueue::Item& taken : queue.take(150)) {
      (taken.kind == Kind::kOwn ? own : relayed).push_back(taken.encoded->front());
    }
  }
  EXPECT_EQ(own, (std::vector<uint8_t>{3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(relayed, (std::vector<uint8_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_TRUE(queue.push(item(Kind::kOwn, 1, 5000))) << "one may be larger than the bound";
  EXPECT_EQ(queue.take(10).size(), 1U) << "and than a round";
}

// Rounds that hold a single event share just as well.
TEST(SendQueue, NeitherKindStarvesTheOther) {
  for (const size_t round : {100, 1000, 5000}) {
    SendQueue queue(2U << 20);
    for (int i = 0; i < 1000; ++i) queue.push(item(Kind::kOwn, 1, 900));
    for (int i = 0; i < 6000; ++i) queue.push(item(Kind::kRelayed, 2, 150));
    size_t own = 0;
    size_t relayed = 0;
    while (own + relayed < 400'000) {
      for (const SendQueue::Item& taken : queue.take(round)) {
        (taken.kind == Kind::kOwn ? own : relayed) += taken.encoded->size();
      }
    }
    EXPECT_NEAR(static_cast<double>(own) / static_cast<double>(relayed), 3, 0.1) << round;
  }
}

TEST(SendQueue, WhoHadNothingToSayHasNoClaimOnThePast) {
  SendQueue queue(1U << 20);
  for (int i = 0; i < 1000; ++i) queue.push(item(Kind::kOwn, 1, 100));
  queue.take(90'000);
  for (int i = 0; i < 1000; ++i) queue.push(item(Kind::kRelayed, 2, 100));
  const auto taken = queue.take(4000);
  EXPECT_EQ(std::count_if(taken.begin(), taken.end(),
                          [](const auto& one) { return one.kind == Kind::kRelayed; }),
            10);
}

TEST(SendQueue, KnowsWhoWaitsTheLongest) {
  SendQueue queue(1000);
  EXPECT_EQ(queue.oldest(), Instant::max());
  queue.push(item(Kind::kRelayed, 1, 10, kBegin + seconds(1)));
  queue.push(item(Kind::kOwn, 1, 10, kBegin + seconds(2)));
  EXPECT_EQ(queue.oldest(), kBegin + seconds(1));
}

TEST(TokenBucket, GivesTheRateAndTheBurstAndIsReadyWhenItSays) {
  TokenBucket bucket(1000, 50);
  Instant now = kBegin;
  double taken = 0;
  for (; now < kBegin + seconds(10); now = std::max(now + milliseconds(1), bucket.ready())) {
    bucket.refill(now);
    ASSERT_FALSE(bucket.empty());
    for (; !bucket.empty(); taken += 7) bucket.take(7);
  }
  EXPECT_NEAR(taken, 10'050, 20);
}

// Peers that do not exist, in the numbers a test likes.
class Crowd final : public Spread::Audience {
 public:
  explicit Crowd(size_t peers) : peers_(peers) {}
  size_t audience(const NetworkId&) const override { return peers_; }
  std::vector<NodeId> sample(const NetworkId&, size_t count) override {
    std::vector<NodeId> picked;
    for (const size_t i : sample_indices(rng_, peers_, count)) picked.push_back(node_number(i));
    return picked;
  }
  std::optional<Bytes> preface(const NetworkId&) const override { return preface_; }

  void set_preface(const Message& message) { preface_ = encode_message(message); }
  void resize(size_t peers) { peers_ = peers; }

 private:
  size_t peers_;
  SeededRng rng_{1};
  std::optional<Bytes> preface_;
};

struct Told {
  std::map<NodeId, std::vector<Message>> by_node;
  size_t copies = 0;
  size_t bytes = 0;
};

Message decoded(const Bytes& encoded) {
  Packer packer({node_number(0), 1, {}}, 1U << 20);
  packer.add(encoded);
  return decode_packet(packer.take().front()).value().messages.front();
}

// Runs until `end`, as a shell would.
Told run(Spread& spread, Instant& now, Instant end) {
  Told told;
  while (true) {
    spread.tick(now);
    for (const Spread::Outgoing& out : spread.take_outgoing()) {
      for (const SharedBytes& encoded : out.messages) {
        const Message message = decoded(*encoded);
        for (const NodeId& to : out.to) {
          told.by_node[to].push_back(message);
          told.copies += std::holds_alternative<EntryEvent>(message) ? 1 : 0;
          told.bytes += encoded->size();
        }
      }
    }
    if (now >= end) return told;
    now = std::min(end, std::max(now + milliseconds(1), spread.next_deadline()));
  }
}

std::vector<Message> echoes(Spread& spread, Instant now) {
  Packer packer({node_number(0), 1, {}}, 1400);
  spread.piggyback(packer, now);
  return decode_packet(packer.take(true).front()).value().messages;
}

TEST(Spread, AnOwnEventGoesToAllOfASmallNetworkOnceAndItsTagOnce) {
  Crowd crowd(24);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  spread.tell(event_of(node_number(99), 1), News::kOwn, now);
  const Told first = run(spread, now, now + milliseconds(5));
  EXPECT_EQ(first.by_node.size(), 24U);
  EXPECT_EQ(first.copies, 24U);
  const Told then = run(spread, now, now + seconds(5));
  EXPECT_EQ(then.copies, 0U);
  EXPECT_EQ(then.by_node.size(), 24U);
  for (const auto& [node, messages] : then.by_node) {
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(std::get<Have>(messages[0]), (Have{kNet, {tag_of(event_of(node_number(99), 1))}}));
  }
  EXPECT_EQ(spread.next_deadline(), Instant::max()) << "nothing is left to do";
}

TEST(Spread, WhatWasHeardInASmallNetworkOnlyGoesAlongWithOtherPackets) {
  Crowd crowd(24);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  const EntryEvent event = event_of(node_number(1), 1);
  spread.tell(event, News::kHeard, now);
  for (size_t i = 0; i < Spread::kEchoes; ++i) {
    const auto messages = echoes(spread, now);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(std::get<Have>(messages[0]), (Have{kNet, {tag_of(event)}}));
  }
  EXPECT_TRUE(echoes(spread, now).empty());
  EXPECT_TRUE(run(spread, now, now + seconds(1)).by_node.empty());

  spread.tell(event_of(node_number(1), 2), News::kHeard, now);
  EXPECT_TRUE(echoes(spread, now + seconds(2)).empty()) << "what is old goes along no more";

  spread.tell(event_of(node_number(1), 3), News::kLearnt, now);
  EXPECT_EQ(run(spread, now, now + seconds(1)).copies, spread_fanout(24))
      << "out of an exchange, others may not have it";
}

TEST(Spread, InALargeNetworkEveryoneTellsAFewOnceAndTagsTwice) {
  for (const News news : {News::kOwn, News::kHeard}) {
    Crowd crowd(1000);
    Spread spread(SpreadConfig(), crowd, kRoom);
    Instant now = kBegin;
    spread.tell(event_of(node_number(1), 1), news, now);
    const Told told = run(spread, now, now + seconds(5));
    EXPECT_EQ(told.copies, 6U);
    size_t tags = 0;
    for (const auto& [node, messages] : told.by_node) {
      tags += static_cast<size_t>(
          std::count_if(messages.begin(), messages.end(),
                        [](const Message& one) { return std::holds_alternative<Have>(one); }));
    }
    EXPECT_EQ(tags, 6U);
  }
  EXPECT_EQ(spread_fanout(1), 4U);
  EXPECT_EQ(spread_fanout(10'000), 7U);
}

// A third time costs bytes alone then.
TEST(Spread, InALargeNetworkManyTagsAreToldThrice) {
  Crowd crowd(1000);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  for (uint64_t i = 1; i <= Spread::kManyTags; ++i) {
    spread.tell(event_of(node_number(1), i), News::kHeard, now);
  }
  const Told told = run(spread, now, now + seconds(5));
  std::map<uint32_t, size_t> tags;
  for (const auto& [node, messages] : told.by_node) {
    for (const Message& message : messages) {
      const auto* have = std::get_if<Have>(&message);
      if (have == nullptr) continue;
      for (const uint32_t tag : have->tags) ++tags[tag];
    }
  }
  EXPECT_EQ(tags.size(), Spread::kManyTags);
  for (const auto& [tag, times] : tags) EXPECT_EQ(times, 9U);
  EXPECT_EQ(spread.next_deadline(), Instant::max()) << "nothing is left to do";
}

TEST(Spread, WhatComesInBurstsSharesPacketsAndKeepsItsOrder) {
  Crowd crowd(1000);
  crowd.set_preface(Have{kOtherNet, {1}});
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  for (uint64_t i = 1; i <= 8; ++i) spread.tell(event_of(node_number(1), i), News::kOwn, now);
  const Told told = run(spread, now, now + milliseconds(20));
  EXPECT_EQ(told.by_node.size(), 6U) << "all went to the same few";
  for (const auto& [node, messages] : told.by_node) {
    ASSERT_EQ(messages.size(), 9U);
    EXPECT_TRUE(std::holds_alternative<Have>(messages[0])) << "the preface first";
    for (uint64_t i = 1; i <= 8; ++i) EXPECT_EQ(std::get<EntryEvent>(messages[i]).sequence, i);
  }
}

// A flood waits its turn and is cut at the bound; nothing grows without end.
TEST(Spread, AFloodIsPacedAndBounded) {
  Crowd crowd(1000);
  SpreadConfig config;
  config.byte_rate = 100'000;
  config.byte_burst = 50'000;
  config.max_queue = 30'000;
  Spread spread(config, crowd, kRoom);
  Instant now = kBegin;
  size_t bytes = 0;
  uint64_t sequence = 0;
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 50; ++j) spread.tell(event_of(node_number(1), ++sequence), News::kOwn, now);
    for (int j = 0; j < 50; ++j) {
      spread.tell(event_of(node_number(2), sequence + static_cast<uint64_t>(j)), News::kHeard, now);
    }
    EXPECT_LE(spread.queued_bytes(), 2 * config.max_queue);
    EXPECT_LE(spread.kept_bytes(), Spread::kMaxKept);
    bytes += run(spread, now, now + milliseconds(50)).bytes;
  }
  EXPECT_GT(spread.counts().overflowed, 1000U);
  // Ten seconds; tags are told beside the queue, and a round is not cut.
  EXPECT_LT(bytes, 3'000'000U);
  EXPECT_GT(bytes, 700'000U);
  run(spread, now, now + seconds(60));
  EXPECT_EQ(spread.queued_bytes(), 0U);
  EXPECT_EQ(spread.kept_bytes(), 0U);
}

TEST(Spread, AsksOnceAndThenAnotherAndGivesUp) {
  Crowd crowd(100);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  const EntryEvent event = event_of(node_number(50), 1);
  const uint32_t tag = tag_of(event);
  spread.receive(node_number(1), Have{kNet, {tag, 77}}, now);
  spread.receive(node_number(2), Have{kNet, {tag}}, now);
  const auto pulls = [](const Told& told) {
    std::map<NodeId, std::vector<uint32_t>> asked;
    for (const auto& [node, messages] : told.by_node) {
      for (const Message& message : messages) {
        if (const auto* pull = std::get_if<Pull>(&message)) asked[node] = pull->tags;
      }
    }
    return asked;
  };
  auto asked = pulls(run(spread, now, now + milliseconds(60)));
  ASSERT_EQ(asked.size(), 1U) << "one is enough";
  EXPECT_THAT(asked[node_number(1)], testing::UnorderedElementsAre(tag, 77U));
  spread.receive(node_number(3), Have{kNet, {tag}}, now);
  asked = pulls(run(spread, now, now + milliseconds(100)));
  EXPECT_EQ(asked[node_number(3)], std::vector<uint32_t>{tag});
  EXPECT_EQ(asked[node_number(1)], std::vector<uint32_t>{77U}) << "nobody else has it";
  spread.tell(event, News::kHeard, now);
  spread.receive(node_number(4), Have{kNet, {tag}}, now);
  asked = pulls(run(spread, now, now + seconds(10)));
  EXPECT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[node_number(1)], std::vector<uint32_t>{77U});
  EXPECT_EQ(spread.counts().pulls, 2U + Spread::kPulls);
  EXPECT_EQ(spread.next_deadline(), Instant::max());
}

TEST(Spread, ServesWhatItKeepsAndNoMoreThanItShould) {
  Crowd crowd(100);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  std::vector<uint32_t> tags;
  for (uint64_t i = 1; i <= 100; ++i) {
    const EntryEvent event = event_of(node_number(50), i, 900);
    spread.tell(event, News::kHeard, now);
    tags.push_back(tag_of(event));
  }
  run(spread, now, now + milliseconds(50));
  spread.receive(node_number(1), Pull{{tags[3], 12345}}, now);
  Told told = run(spread, now, now);
  ASSERT_EQ(told.by_node[node_number(1)].size(), 1U);
  EXPECT_EQ(std::get<EntryEvent>(told.by_node[node_number(1)][0]).sequence, 4U);
  EXPECT_EQ(spread.counts().unserved, 1U);

  spread.receive(node_number(2), Pull{tags}, now);
  told = run(spread, now, now);
  EXPECT_GT(told.bytes, Spread::kMaxServed - 1000);
  EXPECT_LE(told.bytes, Spread::kMaxServed);

  run(spread, now, now + seconds(10));
  spread.receive(node_number(1), Pull{{tags[3]}}, now);
  EXPECT_EQ(run(spread, now, now).bytes, 0U) << "after a while it is gone";
}

TEST(Spread, ACopyIsKnownForAWhile) {
  Crowd crowd(100);
  Spread spread(SpreadConfig(), crowd, kRoom);
  Instant now = kBegin;
  const EntryEvent event = event_of(node_number(50), 1);
  EXPECT_FALSE(spread.is_copy(tag_of(event)));
  spread.note(event, now);
  EXPECT_TRUE(spread.is_copy(tag_of(event)));
  EXPECT_EQ(spread.counts().copies, 1U);
  EntryEvent later = event;
  later.sequence = 2;
  EXPECT_FALSE(spread.is_copy(tag_of(later)));
  run(spread, now, now + seconds(10));
  EXPECT_FALSE(spread.is_copy(tag_of(event)));
}

// Many of them on a wire that loses a packet in five, with a packet of another kind now and then:
// all hear of everything, without any digest.
class Cloud {
 public:
  Cloud(size_t nodes, uint64_t loss_percent) : loss_percent_(loss_percent) {
    for (size_t i = 0; i < nodes; ++i) nodes_.push_back(std::make_unique<Node>(*this, i));
  }

  void tell(size_t owner, uint64_t sequence) {
    const EntryEvent event = event_of(node_number(owner), sequence);
    nodes_[owner]->got.insert(tag_of(event));
    nodes_[owner]->spread.tell(event, News::kOwn, now_);
  }
  void run(Duration duration) {
    const Instant end = now_ + duration;
    for (; now_ < end; now_ = now_ + milliseconds(1)) {
      for (size_t i = 0; i < nodes_.size(); ++i) step(i);
    }
  }
  size_t missing(size_t events) const {
    size_t missing = 0;
    for (const auto& node : nodes_) missing += events - node->got.size();
    return missing;
  }
  uint64_t copies() const { return copies_; }

 private:
  struct Node final : Spread::Audience {
    Node(Cloud& all, size_t number)
        : cloud(all), self(number), spread(SpreadConfig(), *this, kRoom) {}
    size_t audience(const NetworkId&) const override { return cloud.nodes_.size() - 1; }
    std::vector<NodeId> sample(const NetworkId&, size_t count) override {
      std::vector<NodeId> picked;
      for (const size_t i : sample_indices(cloud.rng_, cloud.nodes_.size() - 1, count)) {
        picked.push_back(node_number(i < self ? i : i + 1));
      }
      return picked;
    }
    std::optional<Bytes> preface(const NetworkId&) const override { return std::nullopt; }

    Cloud& cloud;
    size_t self;
    Spread spread;
    std::set<uint32_t> got;
  };

  void step(size_t i) {
    Node& node = *nodes_[i];
    node.spread.tick(now_);
    for (const Spread::Outgoing& out : node.spread.take_outgoing()) {
      for (const NodeId& to : out.to) {
        if (rng_.below(100) < loss_percent_) continue;
        for (const SharedBytes& encoded : out.messages) deliver(i, to, decoded(*encoded));
      }
    }
    if (rng_.below(250) != 0) return;  // a probe or an answer to one
    const NodeId to = node.sample(kNet, 1).front();
    for (const Message& message : echoes(node.spread, now_)) {
      if (rng_.below(100) >= loss_percent_) deliver(i, to, message);
    }
  }
  void deliver(size_t from, const NodeId& to, const Message& message) {
    Node& node = **std::find_if(nodes_.begin(), nodes_.end(),
                                [&](const auto& one) { return node_number(one->self) == to; });
    if (const auto* event = std::get_if<EntryEvent>(&message)) {
      ++copies_;
      if (node.spread.is_copy(tag_of(*event))) return;
      node.got.insert(tag_of(*event));
      node.spread.tell(*event, News::kHeard, now_);
    } else if (const auto* have = std::get_if<Have>(&message)) {
      node.spread.receive(node_number(from), *have, now_);
    } else if (const auto* pull = std::get_if<Pull>(&message)) {
      node.spread.receive(node_number(from), *pull, now_);
    }
  }

  uint64_t loss_percent_;
  SeededRng rng_{3};
  Instant now_ = kBegin;
  uint64_t copies_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST(Spread, ReachesAllDespiteLoss) {
  for (const size_t nodes : {20, 60}) {
    Cloud cloud(nodes, 20);
    constexpr size_t kEvents = 50;
    for (uint64_t i = 1; i <= kEvents; ++i) {
      cloud.tell(i % nodes, i);
      cloud.run(milliseconds(20));
    }
    cloud.run(seconds(2));
    // One delivery in a hundred; digests are for the rest.
    EXPECT_LE(cloud.missing(kEvents), nodes * kEvents / 100) << nodes;
    EXPECT_LT(cloud.copies(), nodes * kEvents * 5) << nodes;
  }
}

}  // namespace
}  // namespace shoal::gossip
