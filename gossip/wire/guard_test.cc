#include "gossip/wire/guard.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <new>
#include <set>

#include "gossip/wire/codec.h"

// Counted for one test; all that this program allocates goes through here.
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

template <typename Id>
Id named(const std::string& name) {
  return Id(name + std::string(kIdLength - name.size(), '0'));
}
const ClusterId kCluster = named<ClusterId>("cluster");
constexpr size_t kBareOverhead = kSealHeaderSize + 2 + crypto::kTagSize;  // without a head

KeyRing ring(const std::vector<uint64_t>& ids, size_t primary = 0) {
  KeyRing keys;
  for (const uint64_t id : ids) {
    crypto::Key key{};
    key.fill(static_cast<uint8_t>(id));
    keys.keys.push_back({id, key});
  }
  keys.primary = primary;
  return keys;
}

// One node at its door.
struct Node {
  Node(const std::string& name, uint64_t epoch, uint64_t seed, const KeyRing& keys = ring({1}),
       const ClusterId& cluster = kCluster)
      : head{named<NodeId>(name), first_incarnation(epoch),
             HostPort::parse("192.0.2.1:7946").value()},
        rng(seed),
        guard(cluster, head.sender, epoch, keys, rng) {}

  Peer peer() const { return {head.sender, epoch_of(head.incarnation)}; }
  Bytes plain(ByteView body) const {
    Bytes all = encode_head(head);
    all.insert(all.end(), body.begin(), body.end());
    return all;
  }
  Bytes to(const Node& other, ByteView body, PacketKind kind = PacketKind::kDatagram) {
    return guard.seal(kind, other.peer(), plain(body));
  }
  Bytes call(ByteView body = {}) { return guard.seal(PacketKind::kDatagram, {}, plain(body)); }
  // A packet opens where it lies; a test opens it again.
  DropReason open(ByteView packet, PacketKind kind = PacketKind::kDatagram) {
    Bytes copy(packet.begin(), packet.end());
    const Guard::Opened opened = guard.open(kind, copy);
    got.assign(opened.plain.begin(), opened.plain.end());
    return opened.drop;
  }

  Head head;
  SeededRng rng;
  Guard guard;
  Bytes got;  // what was opened last, plain
};

const Bytes kBody = {1, 2, 3};

TEST(Window, IsTheSetOfWhatWasSeen) {
  SeededRng rng(1);
  for (int round = 0; round < 20; ++round) {
    Window<256> window;
    std::set<uint64_t> seen;
    uint64_t top = 0;
    for (int i = 0; i < 3000; ++i) {
      const uint64_t reach = 1 + rng.below(rng.below(10) == 0 ? 2000 : 300);
      const uint64_t number = top > 150 ? top - 150 + rng.below(reach) : 1 + rng.below(reach);
      const bool old = number <= top && top - number >= 256;
      ASSERT_EQ(window.seen(number), old || seen.contains(number)) << number << " of " << top;
      if (old) continue;
      window.mark(number);
      seen.insert(number);
      top = std::max(top, number);
    }
  }
}

TEST(Guard, OpensWithAnyKeyOfTheRingOnly) {
  Node a("a", 1, 1, ring({1, 2}));
  Node b("b", 1, 2, ring({2, 1, 3}));
  Node c("c", 1, 3, ring({3}));
  EXPECT_EQ(b.open(a.to(b, kBody)), DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(kBody));
  EXPECT_EQ(a.open(b.to(a, kBody)), DropReason::kNone);
  EXPECT_EQ(c.open(a.to(c, kBody)), DropReason::kUnknownKey);
  // A rotation between two packets loses nothing and forgets nothing.
  const Bytes before = a.to(b, kBody);
  a.guard.set_keys(ring({1, 2}, 1));
  const Bytes after = a.to(b, kBody);
  EXPECT_EQ(b.open(after), DropReason::kNone);
  EXPECT_EQ(b.open(before), DropReason::kNone);
  b.guard.set_keys(ring({2, 3, 4}));
  EXPECT_EQ(b.open(after), DropReason::kReplayed);
  EXPECT_EQ(b.open(before), DropReason::kUnknownKey);
}

// Every reason a guard drops for, and what earns it.
TEST(Guard, DropsForAReason) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  Node c("c", 5, 3);
  Node elsewhere("b", 5, 4, ring({1}), named<ClusterId>("other"));
  const Bytes good = a.to(b, kBody);
  const auto changed = [&](size_t at, uint8_t value) {
    Bytes packet = good;
    packet[at] = value;
    return packet;
  };
  EXPECT_EQ(b.open({}), DropReason::kTooShort);
  EXPECT_EQ(b.open(ByteView(good).first(kSealHeaderSize + crypto::kTagSize - 1)),
            DropReason::kTooShort);
  EXPECT_EQ(b.open(Bytes(kMaxDatagram + 1)), DropReason::kTooLong);
  EXPECT_EQ(b.open(Bytes(kMaxFrame + 1), PacketKind::kQuestion), DropReason::kTooLong);
  EXPECT_EQ(b.open(changed(0, 'X')), DropReason::kNotOurs);
  EXPECT_EQ(b.open(changed(2, 1)), DropReason::kVersion);
  EXPECT_EQ(b.open(changed(3, 9)), DropReason::kNotOurs);
  EXPECT_EQ(b.open(good, PacketKind::kQuestion), DropReason::kNotOurs);
  EXPECT_EQ(elsewhere.open(good), DropReason::kWrongCluster);
  EXPECT_EQ(b.open(changed(7, 77)), DropReason::kUnknownKey);
  EXPECT_EQ(c.open(good), DropReason::kOtherReceiver);
  EXPECT_EQ(b.open(changed(23, 77)), DropReason::kForged);  // another counter
  EXPECT_EQ(b.open(good), DropReason::kNone);
  EXPECT_EQ(b.open(good), DropReason::kReplayed);
  EXPECT_EQ(a.open(a.call()), DropReason::kSelf);
  // This node started anew: what was for its last life is not for it.
  Node again("b", 6, 5);
  EXPECT_EQ(again.open(good), DropReason::kOtherReceiver);
  // The sender did: what it said before is old.
  const Bytes before = a.to(b, kBody);
  const Bytes question = a.to(b, kBody, PacketKind::kQuestion);
  Node next("a", 6, 6);
  EXPECT_EQ(b.open(next.to(b, kBody)), DropReason::kNone);
  EXPECT_EQ(b.open(before), DropReason::kOldEpoch);
  EXPECT_EQ(b.open(question, PacketKind::kQuestion), DropReason::kOldEpoch);
}

// The tags in the header are short; what they stand for is in the seal.
TEST(Guard, ATagThatFitsOpensNothing) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  Node c("c", 5, 3);
  Node elsewhere("b", 5, 4, ring({1}), named<ClusterId>("other"));
  const auto retag = [](ByteView packet, ByteView like, size_t at) {
    Bytes out(packet.begin(), packet.end());
    std::copy_n(like.begin() + static_cast<std::ptrdiff_t>(at), 2,
                out.begin() + static_cast<std::ptrdiff_t>(at));
    return out;
  };
  const Bytes to_b = a.to(b, kBody);
  EXPECT_EQ(c.open(retag(to_b, a.to(c, kBody), 8)), DropReason::kForged);
  EXPECT_EQ(elsewhere.open(retag(to_b, elsewhere.call(), 4)), DropReason::kForged);
  // An open packet is no packet to b, nor the other way round.
  Bytes opened = a.call(kBody);
  opened[3] = static_cast<uint8_t>(PacketKind::kDatagram);
  EXPECT_EQ(b.open(retag(opened, to_b, 8)), DropReason::kForged);
  Bytes closed = to_b;
  closed[3] = static_cast<uint8_t>(PacketKind::kOpen);
  EXPECT_EQ(b.open(closed), DropReason::kForged);
}

TEST(Guard, EveryFlippedBitAndEveryCutIsSeen) {
  Node a("a", 1, 1);
  Node b("b", 1, 2);
  for (const PacketKind kind : {PacketKind::kDatagram, PacketKind::kQuestion}) {
    const Bytes sealed = a.to(b, Bytes(20, 7), kind);
    for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      Bytes damaged = sealed;
      damaged[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
      EXPECT_NE(b.open(damaged, kind), DropReason::kNone) << bit;
    }
    for (size_t size = 0; size < sealed.size(); ++size) {
      EXPECT_NE(b.open(ByteView(sealed).first(size), kind), DropReason::kNone) << size;
    }
    EXPECT_EQ(b.open(sealed, kind), DropReason::kNone);
  }
}

// An answer opens for its question and no other; a question once.
TEST(Guard, AnswersAreToTheirQuestion) {
  Node a("a", 1, 1);
  Node b("b", 1, 2);
  const Bytes question = a.to(b, kBody, PacketKind::kQuestion);
  const QuestionName asked = a.guard.asked();
  Bytes copy = question;
  const Guard::Opened opened = b.guard.open(PacketKind::kQuestion, copy);
  ASSERT_EQ(opened.drop, DropReason::kNone);
  EXPECT_EQ(opened.question, asked);
  EXPECT_EQ(opened.sender(), a.peer());
  EXPECT_EQ(b.open(question, PacketKind::kQuestion), DropReason::kReplayed);
  const Bytes answer =
      b.guard.seal(PacketKind::kAnswer, opened.sender(), b.plain(kBody), opened.question);
  a.to(b, kBody, PacketKind::kQuestion);
  const auto open = [&](const QuestionName& to) {
    Bytes again = answer;
    return a.guard.open(PacketKind::kAnswer, again, to).drop;
  };
  EXPECT_EQ(open(a.guard.asked()), DropReason::kForged);
  EXPECT_EQ(open(asked), DropReason::kNone);
}

// Datagrams and questions overtake each other and themselves.
TEST(Guard, OrderDoesNotMatter) {
  Node a("a", 1, 1);
  Node b("b", 1, 2);
  const Bytes early = a.to(b, kBody, PacketKind::kQuestion);
  std::vector<Bytes> sent;
  for (int i = 0; i < 500; ++i) sent.push_back(a.to(b, kBody));
  for (size_t i = sent.size(); i > 0; --i) EXPECT_EQ(b.open(sent[i - 1]), DropReason::kNone);
  for (const Bytes& packet : sent) EXPECT_EQ(b.open(packet), DropReason::kReplayed);
  for (int i = 0; i < 5000; ++i) b.open(a.to(b, kBody));
  EXPECT_EQ(b.open(early, PacketKind::kQuestion), DropReason::kNone);
}

// Who calls is nobody yet; its calls are not heard twice either.
TEST(Guard, OpenPacketsBindNobody) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  const Bytes call = a.call(kBody);
  EXPECT_EQ(b.open(call), DropReason::kNone);
  EXPECT_EQ(b.open(call), DropReason::kReplayed);
  Bytes other = a.call(kBody);
  EXPECT_TRUE(b.guard.open(PacketKind::kDatagram, other).open);
  // An old call after the sender was known in a later life is a call still: it may be told so.
  const Bytes old = a.call();
  Node next("a", 6, 3);
  EXPECT_EQ(b.open(next.to(b, kBody)), DropReason::kNone);
  EXPECT_EQ(b.open(old), DropReason::kNone);
  EXPECT_EQ(b.open(a.to(b, kBody)), DropReason::kOldEpoch);
  EXPECT_EQ(b.open(next.to(b, kBody)), DropReason::kNone);
}

TEST(Guard, HeadsAreSaidOnce) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  const size_t whole = a.to(b, kBody).size();
  EXPECT_EQ(b.open(a.to(b, kBody)), DropReason::kNone);
  EXPECT_EQ(a.to(b, kBody).size(), whole);  // b has not said to hold it
  EXPECT_EQ(a.open(b.to(a, kBody)), DropReason::kNone);
  Bytes bare = a.to(b, kBody);
  EXPECT_EQ(bare.size(), kBareOverhead + kBody.size());
  EXPECT_EQ(b.open(bare), DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(kBody));

  // A new head is said until it is held, and an older packet does not bring the old one back.
  ++a.head.incarnation;
  const Bytes first = a.to(b, kBody);
  EXPECT_EQ(first.size(), whole);
  EXPECT_EQ(b.open(first), DropReason::kNone);
  EXPECT_EQ(b.open(bare), DropReason::kReplayed);
  EXPECT_EQ(a.open(b.to(a, kBody)), DropReason::kNone);
  EXPECT_EQ(b.open(a.to(b, kBody)), DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(kBody));

  // Who forgot it says so by a call, and hears it again.
  bare = a.to(b, kBody);
  EXPECT_EQ(bare.size(), kBareOverhead + kBody.size());
  Node forgetful("b", 5, 7);
  EXPECT_EQ(forgetful.open(bare), DropReason::kUnknownSession);
  EXPECT_EQ(a.open(b.call()), DropReason::kNone);
  EXPECT_EQ(forgetful.open(a.to(forgetful, kBody)), DropReason::kNone);
  EXPECT_EQ(forgetful.got, a.plain(kBody));
}

TEST(Guard, LongBodiesAreCompressed) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  Bytes body(2000, 7);
  const Bytes sealed = a.to(b, body);
  EXPECT_LT(sealed.size(), 200U);
  EXPECT_EQ(b.open(sealed), DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(body));
  SeededRng rng(1);
  rng.fill(body);
  EXPECT_EQ(a.to(b, body).size(), kSealOverhead + a.plain(body).size());
  EXPECT_EQ(b.open(a.to(b, body)), DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(body));

  // Fits a frame, and no datagram: a holder of the key asks for memory.
  const Bytes large(1U << 20, 7);
  EXPECT_EQ(b.open(a.to(b, large)), DropReason::kOversize);
  EXPECT_EQ(b.open(a.to(b, large, PacketKind::kQuestion), PacketKind::kQuestion),
            DropReason::kNone);
  EXPECT_EQ(b.got, a.plain(large));
}

// However many hold the key and start anew, what is remembered of them is bounded.
TEST(Guard, SessionsAreBounded) {
  Node b("b", 5, 2);
  Node first("first", 5, 3);
  const Bytes known = first.to(b, kBody);
  EXPECT_EQ(b.open(known), DropReason::kNone);
  const Bytes call = first.call();
  for (uint64_t i = 0; i < 3 * Sessions::kMaxCallers; ++i) {
    Node caller("c", 5, 100 + i);
    EXPECT_EQ(b.open(caller.call()), DropReason::kNone);
  }
  EXPECT_EQ(b.open(known), DropReason::kReplayed);  // callers push out callers only
  Sessions sessions;
  for (uint64_t i = 1; i <= Sessions::kMaxBound + 10; ++i) {
    Head head{NodeId(named<NodeId>(std::to_string(i) + "x")), 1, {}};
    sessions.bind(i, sessions.add(i), head);
    sessions.touch(*sessions.find(1));
  }
  EXPECT_NE(sessions.find(1), nullptr);
  EXPECT_EQ(sessions.find(2), nullptr);
  EXPECT_EQ(sessions.of(named<NodeId>("2x")), nullptr);
}

// What a stranger sends costs no memory, whatever it is dropped for; nor does a replay.
TEST(Guard, NothingIsAllocatedBeforeItIsAuthentic) {
  Node a("a", 5, 1);
  Node b("b", 5, 2);
  const Bytes first = a.to(b, kBody);
  EXPECT_EQ(b.open(first), DropReason::kNone);
  Bytes good = a.to(b, Bytes(1U << 20, 7), PacketKind::kQuestion);
  Bytes forged = good;
  forged.back() ^= 1;
  std::vector<Bytes> packets(1000);
  SeededRng rng(1);
  for (Bytes& packet : packets) {
    packet = a.to(b, Bytes(100));
    for (uint64_t flips = 1 + rng.below(4); flips > 0; --flips) {
      packet[rng.below(packet.size())] ^= static_cast<uint8_t>(1U << rng.below(8));
    }
    if (rng.below(3) == 0) packet.resize(rng.below(packet.size()));
    if (rng.below(3) == 0) packet = first;
  }
  const uint64_t before = allocations;
  size_t reasons = 0;
  for (Bytes& packet : packets) {
    const DropReason drop = b.guard.open(PacketKind::kDatagram, packet).drop;
    reasons |= size_t{1} << static_cast<size_t>(drop);
  }
  EXPECT_EQ(b.guard.open(PacketKind::kQuestion, forged).drop, DropReason::kForged);
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(reasons & 1, 0U);
  EXPECT_GE(std::popcount(reasons), 7);
  EXPECT_EQ(b.guard.open(PacketKind::kQuestion, good).drop, DropReason::kNone);
}

TEST(KeyRing, IsChecked) {
  EXPECT_TRUE(ring({1, 2, 3}, 2).validate().ok());
  EXPECT_FALSE(ring({}, 0).validate().ok());
  EXPECT_FALSE(ring({1, 2, 3, 4}, 0).validate().ok());
  EXPECT_FALSE(ring({1}, 1).validate().ok());
  EXPECT_FALSE(ring({1, 1}, 0).validate().ok());
  EXPECT_FALSE(ring({1, 65537}, 0).validate().ok());
}

}  // namespace
}  // namespace shoal::gossip
