// What the network may do to a node that has no key: a million packets that are random, cut,
// damaged or captured, at the door of a whole core. All are dropped and counted, nothing is
// allocated for them, and the node is afterwards what it was before.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "gossip/node/core.h"
#include "gossip/wire/codec.h"
#include "gossip/wire/guard.h"
#include "gossip/wire/hash.h"

static uint64_t allocations = 0;
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace shoal::gossip {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kPackets = 100'000;
#else
constexpr size_t kPackets = 1'000'000;
#endif

using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}
const NetworkId kNet = named<NetworkId>("net");

struct Captured {
  PacketKind kind;
  Bytes sealed;
};

struct Node {
  Node(const std::string& name, uint32_t number, Rng& rng, Instant now)
      : id(named<NodeId>(name)),
        address{Ip::v4(0xc0000200U + number), 7946},
        guard(named<ClusterId>("c"), id, kEpoch, ring(), rng),
        core(CoreConfig{.self = id, .address = address, .epoch = kEpoch}, rng, now) {
    core.join_network(kNet, now);
    EXPECT_TRUE(core.upsert(kNet, name, {1, 2, 3}).ok());
  }
  static KeyRing ring() {
    KeyRing ring;
    ring.keys.push_back({1, {}});
    ring.keys[0].key.fill(7);
    return ring;
  }
  static constexpr uint64_t kEpoch = 1000;

  // As the daemon's driver.
  DropReason receive(const HostPort& from, std::span<uint8_t> sealed, Instant now) {
    const Guard::Opened opened = guard.open(PacketKind::kDatagram, sealed);
    if (opened.drop == DropReason::kOtherReceiver || opened.drop == DropReason::kUnknownSession) {
      core.call(from, now);
    }
    if (opened.drop != DropReason::kNone) {
      core.count_drop(opened.drop);
    } else if (opened.open) {
      core.receive_open(from, opened.plain, now);
    } else {
      core.receive_packet(from, opened.plain, now);
    }
    return opened.drop;
  }

  NodeId id;
  HostPort address;
  Guard guard;
  Core core;
};

// All that a packet could change.
uint64_t digest(const Core& core) {
  Hash hash;
  hash.add(core.swim().digest()).add(core.epoch());
  for (const MemberInfo& member : core.members()) {
    hash.add(member.id.view()).add(member.address.str()).add(static_cast<uint64_t>(member.state));
  }
  for (const NetworkId& network : {Tables::directory(), kNet}) {
    hash.add(core.tables().digest(network)).add(core.tables().peers(network).size());
  }
  hash.add(core.tables().entries());
  hash.add(static_cast<uint64_t>(core.next_deadline().nanoseconds));
  const Counters counters = core.counters();
  hash.add(counters.suspicions).add(counters.failures).add(counters.refutations);
  hash.add(counters.exchanges_started).add(counters.exchanges_answered);
  return hash.value();
}

class HostileTest : public testing::Test {
 protected:
  void run(Duration duration) {
    const Instant end = now_ + duration;
    while (now_ < end) {
      now_ = now_ + milliseconds(5);
      for (Node* node : {&a_, &b_, &c_}) settle(*node);
    }
  }
  void settle(Node& node) {
    node.core.tick(now_);
    Effects effects = node.core.take_effects(now_);
    for (const auto& datagram : effects.datagrams) {
      Bytes sealed = node.guard.seal(PacketKind::kDatagram, datagram.peer, datagram.plain);
      capture_.push_back({PacketKind::kDatagram, sealed});
      if (Node* to = at(datagram.to)) {
        EXPECT_EQ(to->receive(node.address, sealed, now_), DropReason::kNone);
      }
    }
    for (const auto& exchange : effects.exchanges) ask(node, exchange);
  }
  void ask(Node& node, const Effects::Exchange& exchange) {
    Bytes question = node.guard.seal(PacketKind::kQuestion, exchange.peer, exchange.plain);
    const QuestionName asked = node.guard.asked();
    capture_.push_back({PacketKind::kQuestion, question});
    Node& to = *at(exchange.to);
    const Guard::Opened opened = to.guard.open(PacketKind::kQuestion, question);
    ASSERT_EQ(opened.drop, DropReason::kNone);
    const Bytes plain = to.core.answer_exchange(opened.plain, now_);
    Bytes answer = to.guard.seal(PacketKind::kAnswer, opened.sender(), plain, opened.question);
    capture_.push_back({PacketKind::kAnswer, answer});
    const Guard::Opened got = node.guard.open(PacketKind::kAnswer, answer, asked);
    ASSERT_EQ(got.drop, DropReason::kNone);
    node.core.finish_exchange(exchange.id, got.plain, now_);
  }
  Node* at(const HostPort& address) {
    for (Node* node : {&a_, &b_, &c_}) {
      if (node->address == address) return node;
    }
    return nullptr;
  }

  SeededRng rng_{7};
  Instant now_{1'000'000'000};
  std::vector<Captured> capture_;
  Node a_{"a", 1, rng_, now_};
  Node b_{"b", 2, rng_, now_};
  Node c_{"c", 3, rng_, now_};
};

TEST_F(HostileTest, AMillionPacketsAndACaptureChangeNothing) {
  for (Node* node : {&b_, &c_}) node->core.set_seeds({a_.address}, now_);
  run(seconds(5));
  ASSERT_TRUE(b_.core.upsert(kNet, "later", Bytes(900, 'x')).ok());
  run(seconds(5));
  ASSERT_EQ(a_.core.tables().entries(),
            10U);  // two of each node in the directory, and those of kNet
  ASSERT_GT(capture_.size(), 50U);
  settle(a_);

  const HostPort stranger = HostPort::parse("198.51.100.9:7946").value();
  const uint64_t before = digest(a_.core);
  const Counters counted = a_.core.counters();
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> dropped{};
  Bytes packet;
  packet.reserve(kMaxDatagram);
  uint64_t allocated = 0;
  size_t sent = 0;
  const auto send = [&] {
    const uint64_t so_far = allocations;
    const DropReason drop = a_.receive(stranger, packet, now_);
    allocated += allocations - so_far;
    ++dropped[static_cast<size_t>(drop)];
    ++sent;
  };
  // What went to this node, and what went to others: twice over.
  for (int round = 0; round < 2; ++round) {
    for (const Captured& captured : capture_) {
      packet = captured.sealed;
      send();
    }
  }
  while (sent < kPackets) {
    const Captured& real = capture_[rng_.below(capture_.size())];
    packet = real.sealed;
    switch (rng_.below(4)) {
      case 0:
        packet.resize(rng_.below(packet.size()));
        break;
      case 1:
        for (uint64_t flips = 1 + rng_.below(8); flips > 0; --flips) {
          packet[rng_.below(packet.size())] ^= static_cast<uint8_t>(1U << rng_.below(8));
        }
        break;
      case 2:  // a good header and anything
        packet.resize(kSealHeaderSize + rng_.below(300));
        rng_.fill(std::span(packet).subspan(std::min(packet.size(), kSealHeaderSize)));
        break;
      default:
        packet.resize(rng_.below(400));
        rng_.fill(packet);
    }
    send();
  }

  EXPECT_EQ(allocated, 0U);
  EXPECT_EQ(dropped[static_cast<size_t>(DropReason::kNone)], 0U);
  const Counters after = a_.core.counters();
  for (size_t i = 0; i < dropped.size(); ++i) {
    EXPECT_EQ(after.dropped[i] - counted.dropped[i], dropped[i])
        << to_string(static_cast<DropReason>(i));
  }
  for (const DropReason reason :
       {DropReason::kTooShort, DropReason::kNotOurs, DropReason::kVersion,
        DropReason::kWrongCluster, DropReason::kUnknownKey, DropReason::kOtherReceiver,
        DropReason::kReplayed, DropReason::kForged}) {
    EXPECT_GT(dropped[static_cast<size_t>(reason)], 100U) << to_string(reason);
  }
  EXPECT_EQ(digest(a_.core), before);
  // All that comes of it: a few calls to where misdirected packets came from, and they say nothing
  // but who this is.
  const Effects effects = a_.core.take_effects(now_);
  EXPECT_LE(effects.datagrams.size(), Core::kMaxCalls);
  for (const auto& datagram : effects.datagrams) {
    EXPECT_TRUE(datagram.peer.id.empty());
    EXPECT_EQ(datagram.plain, encode_head(a_.core.swim().head()));
  }
  EXPECT_TRUE(effects.entries.empty());
  EXPECT_TRUE(effects.members.empty());
  EXPECT_TRUE(effects.exchanges.empty());
  EXPECT_EQ(digest(a_.core), before);

  // And it hears its own as ever.
  ASSERT_TRUE(b_.core.upsert(kNet, "after", {4}).ok());
  run(seconds(1));
  EXPECT_EQ(a_.core.tables().entries(), 11U);
}

// A capture of its whole last life, in order, to a node that started anew and knows nobody.
TEST_F(HostileTest, ACaptureOfAnEarlierLifeChangesNothing) {
  for (Node* node : {&b_, &c_}) node->core.set_seeds({a_.address}, now_);
  run(seconds(5));
  const NodeId self = a_.id;
  SeededRng rng(9);
  Guard guard(named<ClusterId>("c"), self, Node::kEpoch + 1, Node::ring(), rng);
  Core core(CoreConfig{.self = self, .address = a_.address, .epoch = Node::kEpoch + 1}, rng, now_);
  core.join_network(kNet, now_);
  const uint64_t before = digest(core);
  size_t answered = 0;
  for (Captured& captured : capture_) {
    const PacketKind kind =
        captured.kind == PacketKind::kAnswer ? PacketKind::kQuestion : captured.kind;
    const Guard::Opened opened = guard.open(kind, captured.sealed);
    if (opened.drop != DropReason::kNone) continue;
    ASSERT_TRUE(opened.open);
    core.receive_open(b_.address, opened.plain, now_);
    ++answered;
  }
  EXPECT_GT(answered, 0U);
  EXPECT_EQ(digest(core), before);
  EXPECT_TRUE(core.members().empty());
  for (const auto& datagram : core.take_effects(now_).datagrams) {
    EXPECT_FALSE(datagram.peer.id.empty());  // sealed to who called, who may not be there any more
  }
}

}  // namespace
}  // namespace shoal::gossip
