#include "gossip/swim/swim.h"

#include <gtest/gtest.h>

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

NodeId node(const std::string& name) {
  return NodeId(name + std::string(kIdLength - name.size(), '0'));
}
HostPort address(uint32_t last) { return {Ip::v4(0x0a000000U + last), 7946}; }
const Instant kStart{1'000'000'000};

struct SwimTest : testing::Test {
  SeededRng rng{1};
  SwimConfig config;
  Swim swim{config, node("self"), address(1), 100, rng, kStart};
  Instant now = kStart;

  void meet(const std::string& name, uint32_t last, uint64_t incarnation = 10) {
    swim.hear({node(name), incarnation, address(last)}, address(last), now);
  }
  MemberState state(const std::string& name) {
    for (const MemberInfo& member : swim.members()) {
      if (member.id == node(name)) return member.state;
    }
    ADD_FAILURE() << "unknown " << name;
    return MemberState::kLeft;
  }
  void claim(ClaimKind kind, const std::string& name, uint64_t incarnation,
             const std::string& from = "") {
    swim.receive_claim(
        {kind, node(name), incarnation, address(9), from.empty() ? NodeId() : node(from)},
        address(8), now);
  }
  // Time passes in silence.
  void pass(Duration duration) {
    const Instant end = now + duration;
    while (swim.next_deadline() <= end) {
      now = std::max(now + milliseconds(1), swim.next_deadline());
      swim.tick(now);
    }
    now = end;
    swim.tick(now);
  }
  template <typename M>
  std::vector<std::pair<HostPort, M>> sent() {
    std::vector<std::pair<HostPort, M>> found;
    for (const Swim::Outgoing& out : swim.take_outgoing()) {
      for (const Message& message : out.messages) {
        if (const auto* m = std::get_if<M>(&message)) found.emplace_back(out.to, *m);
      }
    }
    return found;
  }
};

TEST_F(SwimTest, ASilentMemberIsSuspectedThenFailedThenAskedForEver) {
  meet("a", 2);
  pass(milliseconds(1100));
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  pass(seconds(3));
  EXPECT_EQ(state("a"), MemberState::kFailed);
  EXPECT_EQ(swim.live_count(), 0U);
  pass(seconds(3600));
  sent<Ping>();
  pass(seconds(1));
  EXPECT_GE(sent<Ping>().size(), 2U);
  meet("a", 2, 11);  // it refuted
  EXPECT_EQ(state("a"), MemberState::kAlive);
}

TEST_F(SwimTest, AnAnswerKeepsAMemberAlive) {
  meet("a", 2);
  for (int i = 0; i < 1000; ++i) {
    pass(milliseconds(10));
    for (const auto& [to, ping] : sent<Ping>()) swim.receive_ack({ping.number});
  }
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().suspicions, 0U);
}

TEST_F(SwimTest, AskesOthersBeforeSuspecting) {
  meet("a", 2);
  meet("b", 3);
  std::vector<std::pair<HostPort, PingRequest>> asked;
  while (asked.empty()) {
    pass(milliseconds(10));
    ASSERT_LT(now, kStart + seconds(5));
    asked = sent<PingRequest>();
  }
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_NE(asked[0].first, asked[0].second.address);
  swim.receive_ack({asked[0].second.number});
  pass(milliseconds(300));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(state("b"), MemberState::kAlive);
}

TEST_F(SwimTest, AsksForOthersAndSaysWhenNobodyAnswers) {
  meet("a", 2);
  swim.receive_ping_request({7, node("x"), address(20)}, address(2), now);
  swim.receive_ping_request({8, node("y"), address(21)}, address(2), now);
  const auto pings = sent<Ping>();
  ASSERT_EQ(pings.size(), 2U);
  swim.receive_ack({pings[0].second.number});
  const auto acks = sent<Ack>();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].second.number, 7U);
  EXPECT_EQ(acks[0].first, address(2));
  pass(milliseconds(180));
  const auto nacks = sent<Nack>();
  ASSERT_EQ(nacks.size(), 1U);
  EXPECT_EQ(nacks[0].second.number, 8U);
}

TEST_F(SwimTest, RefutesWhatIsSaidOfIt) {
  claim(ClaimKind::kSuspect, "self", 99, "a");  // of an earlier incarnation
  EXPECT_EQ(swim.head().incarnation, 100U);
  claim(ClaimKind::kSuspect, "self", 100, "a");
  EXPECT_EQ(swim.head().incarnation, 101U);
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, address(8));
  EXPECT_EQ(told[0].second.kind, ClaimKind::kAlive);
  claim(ClaimKind::kFailed, "self", 5000, "a");
  EXPECT_EQ(swim.head().incarnation, 5001U);
  EXPECT_EQ(swim.counts().refutations, 2U);
}

TEST_F(SwimTest, TheSuspectIsToldFirstAndRefutes) {
  meet("a", 2);
  claim(ClaimKind::kSuspect, "a", 10, "b");
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  sent<Claim>();
  meet("a", 2, 10);  // talks on without knowing
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, address(2));
  EXPECT_EQ(told[0].second.kind, ClaimKind::kSuspect);
  meet("a", 2, 11);
  EXPECT_EQ(state("a"), MemberState::kAlive);
  claim(ClaimKind::kSuspect, "a", 10, "c");  // late
  EXPECT_EQ(state("a"), MemberState::kAlive);
}

TEST_F(SwimTest, AFailedClaimIsOnlyAReasonToLook) {
  meet("a", 2);
  sent<Claim>();
  claim(ClaimKind::kFailed, "a", 10, "b");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, address(2));
}

// What was merely heard is passed on in the name of who said it: else one sick accuser and two who
// heard it were three accusers.
TEST_F(SwimTest, ASuspicionHeardStaysItsAccusers) {
  meet("a", 2);
  meet("b", 3);
  meet("c", 4);
  const auto said_of_a = [this] {
    MemberDifference all;
    all.buckets.fill(0xff);
    for (const Claim& claim : swim.claims_in(all)) {
      if (claim.id == node("a")) return claim;
    }
    return Claim();
  };
  claim(ClaimKind::kSuspect, "a", 10, "b");
  EXPECT_EQ(said_of_a().kind, ClaimKind::kSuspect);
  EXPECT_EQ(said_of_a().from, node("b"));
  sent<Claim>();
  meet("a", 2);  // talks on: it is told, in b's name
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].second.from, node("b"));
  pass(seconds(10));
  EXPECT_EQ(said_of_a().kind, ClaimKind::kFailed);
  EXPECT_EQ(said_of_a().from, node("self")) << "it probed a itself, and in vain";

  Swim other(config, node("other"), address(7), 100, rng, kStart);
  other.hear({node("a"), 10, address(2)}, address(2), now);
  other.receive_claim({ClaimKind::kFailed, node("d"), 5, address(20), node("c")}, address(8), now);
  MemberDifference all;
  all.buckets.fill(0xff);
  for (const Claim& claim : other.claims_in(all)) {
    if (claim.id == node("d")) {
      EXPECT_EQ(claim.from, node("c"));
    }
  }
}

TEST_F(SwimTest, LeavingIsFinalForAnIncarnation) {
  meet("a", 2);
  claim(ClaimKind::kLeft, "a", 10);
  EXPECT_EQ(state("a"), MemberState::kLeft);
  meet("a", 2, 10);
  EXPECT_EQ(state("a"), MemberState::kLeft);
  meet("a", 5, 500);  // a new start, elsewhere
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.address_of(node("a")), address(5));
}

TEST_F(SwimTest, ForgottenIsNotListenedTo) {
  meet("a", 2);
  swim.forget(node("a"));
  EXPECT_TRUE(swim.members().empty());
  EXPECT_EQ(swim.hear({node("a"), 900, address(2)}, address(2), now), DropReason::kForgotten);
  claim(ClaimKind::kAlive, "a", 901);
  EXPECT_TRUE(swim.members().empty());
  Swim fresh(config, node("self"), address(1), 100, rng, kStart);
  EXPECT_EQ(swim.digest(), fresh.digest());
}

TEST_F(SwimTest, SeedsAreAskedWhenAloneAndForIslands) {
  swim.set_seeds({address(50), address(1)}, now);
  pass(seconds(3));
  const auto alone = sent<Ping>();
  EXPECT_GE(alone.size(), 5U);
  for (const auto& [to, ping] : alone) EXPECT_EQ(to, address(50));  // never itself
  meet("a", 2);
  sent<Ping>();
  size_t asked = 0;
  for (int i = 0; i < 1200; ++i) {
    pass(milliseconds(10));
    for (const auto& [to, ping] : sent<Ping>()) {
      if (to == address(50)) ++asked;
      swim.receive_ack({ping.number});
    }
  }
  EXPECT_GE(asked, 2U);
  EXPECT_LE(asked, 4U);
}

TEST_F(SwimTest, WhoFindsNoRoomIsNotTakenForARemovedOne) {
  for (uint32_t i = 0; i < kMaxMembers; ++i) meet("m" + std::to_string(i) + "x", 10 + i);
  const HostPort elsewhere = address(9);
  EXPECT_EQ(swim.hear({node("late"), 1, elsewhere}, elsewhere, now), DropReason::kMembersFull);
  swim.forget(node("m7x"));
  EXPECT_EQ(swim.hear({node("m7x"), 1, elsewhere}, elsewhere, now), DropReason::kForgotten);
  EXPECT_EQ(swim.hear({node("late"), 1, elsewhere}, elsewhere, now), DropReason::kNone);
}

// A tick costs what is due, not what is held: half a cluster of ten thousand under suspicion.
TEST_F(SwimTest, ThousandsOfSuspectsCostNothingWhileTheyWait) {
  constexpr uint32_t kSuspects = 5000;
  for (uint32_t i = 0; i < kSuspects; ++i) {
    const std::string name = "m" + std::to_string(i) + "x";
    meet(name, 10 + i);
    claim(ClaimKind::kSuspect, name, 10, "b");
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20'000; ++i) {
    now = now + std::chrono::microseconds(1);
    swim.tick(now);
    EXPECT_GT(swim.next_deadline(), kStart);
  }
  // Looking at each of them each time would take a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
  EXPECT_EQ(swim.counts().suspicions, kSuspects);
}

TEST(Suspicion, ShrinksWithIndependentConfirmations) {
  Suspicion suspicion(node("a"), kStart, seconds(2), seconds(6), 2);
  EXPECT_EQ(suspicion.deadline(), kStart + seconds(6));
  EXPECT_FALSE(suspicion.confirm(node("a")));
  EXPECT_TRUE(suspicion.confirm(node("b")));
  const Instant one = suspicion.deadline();
  EXPECT_LT(one, kStart + seconds(4));
  EXPECT_GT(one, kStart + seconds(2));
  EXPECT_TRUE(suspicion.confirm(node("c")));
  EXPECT_EQ(suspicion.deadline(), kStart + seconds(2));
  EXPECT_FALSE(suspicion.confirm(node("d")));
  EXPECT_EQ(Suspicion(node("a"), kStart, seconds(2), seconds(6), 0).deadline(),
            kStart + seconds(2));
}

TEST(Rumors, EachIsToldALimitedNumberOfTimesNewestFirst) {
  Rumors rumors;
  for (uint64_t i = 1; i <= 3; ++i) {
    rumors.put({ClaimKind::kAlive, node("m" + std::to_string(i)), i, address(1), {}});
  }
  rumors.put({ClaimKind::kAlive, node("m1"), 9, address(1), {}});
  EXPECT_EQ(rumors.size(), 3U);
  std::map<NodeId, int> told;
  std::vector<NodeId> order;
  while (!rumors.empty()) {
    Packer packer({node("self"), 1, address(1)}, 80);  // room for one
    rumors.fill(packer, 2, false);
    ASSERT_FALSE(rumors.empty()) << "told in vain";
    packer.take();
    rumors.fill(packer, 2, true);
    for (const Bytes& plain : packer.take()) {
      const Packet packet = decode_packet(plain).value();
      for (const Message& message : packet.messages) {
        const Claim& claim = std::get<Claim>(message);
        EXPECT_EQ(claim.incarnation == 9, claim.id == node("m1"));
        ++told[claim.id];
        order.push_back(claim.id);
      }
    }
  }
  EXPECT_EQ(order.front(), node("m1"));
  for (const auto& [id, times] : told) EXPECT_EQ(times, 2);
  EXPECT_EQ(told.size(), 3U);
}

}  // namespace
}  // namespace shoal::gossip
