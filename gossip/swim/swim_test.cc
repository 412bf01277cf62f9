#include "gossip/swim/swim_fixture.h"

namespace shoal::gossip {
namespace {

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
  answering = {"a"};
  pass(seconds(10));
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
  swim.receive_ack(node("b"), {asked[0].second.number});
  pass(milliseconds(300));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(state("b"), MemberState::kAlive);
}

TEST_F(SwimTest, AsksForOthersAndSaysWhenNobodyAnswers) {
  meet("a", 2);
  meet("x", 20);
  meet("y", 21);
  swim.receive_ping_request({7, node("x"), address(20)}, address(2), now);
  swim.receive_ping_request({8, node("y"), address(21)}, address(2), now);
  const auto pings = sent<Ping>();
  ASSERT_EQ(pings.size(), 2U);
  swim.receive_ack(node("x"), {pings[0].second.number});
  const auto acks = sent<Ack>();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].second.number, 7U);
  EXPECT_EQ(acks[0].first, address(2));
  tcp = Reach::kRefused;  // which leaves nothing to wait for
  pass(milliseconds(10));
  const auto said = sent<Testimony>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].second.number, 8U);
  EXPECT_EQ(said[0].second.reach, Reach::kRefused);

  // Nothing can be sealed for a stranger.
  swim.receive_ping_request({10, node("z"), address(22)}, address(2), now);
  pass(milliseconds(250));
  const auto stranger = sent<Testimony>();
  ASSERT_EQ(stranger.size(), 1U);
  EXPECT_EQ(stranger[0].second.reach, Reach::kUnknown);

  // Whose own wake-ups are late may only not have listened.
  swim.receive_ping_request({9, node("y"), address(21)}, address(2), now);
  swim.resume(seconds(1), now);
  pass(milliseconds(250));
  const auto unsure = sent<Testimony>();
  ASSERT_EQ(unsure.size(), 1U);
  EXPECT_EQ(unsure[0].second.reach, Reach::kUnknown);
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

TEST_F(SwimTest, RemembersSomeAndTheSameOnes) {
  for (uint32_t i = 0; i < 100; ++i) meet("m" + std::to_string(i) + "x", 10 + i);
  const std::vector<HostPort> before = swim.remembered(64);
  EXPECT_EQ(std::set<HostPort>(before.begin(), before.end()).size(), 64U);
  for (uint32_t i = 0; i < 10; ++i) {
    claim(ClaimKind::kLeft, "m" + std::to_string(i) + "x", 10);
  }
  const std::vector<HostPort> after = swim.remembered(64);
  EXPECT_EQ(after.size(), 64U);
  size_t same = 0;
  for (const HostPort& one : after) same += std::count(before.begin(), before.end(), one) > 0;
  EXPECT_GE(same, 54U);
}

// What was merely heard is passed on in the name of who said it: else one sick accuser and two who
// heard it were three accusers.
TEST_F(SwimTest, ASuspicionHeardStaysItsAccusers) {
  meet_all("abc");
  const auto said_of_a = [this] {
    for (const Claim& claim : held()) {
      if (claim.id == node("a")) return claim;
    }
    return Claim();
  };
  claim(ClaimKind::kSuspect, "a", 10, "b");
  EXPECT_EQ(said_of_a().kind, ClaimKind::kSuspect);
  EXPECT_EQ(said_of_a().accusers, std::vector{node("b")});
  claim(ClaimKind::kSuspect, "a", 10, "b");
  EXPECT_EQ(said_of_a().accusers, std::vector{node("b")});
  sent<Claim>();
  now = now + seconds(1);
  meet("a", 2);  // talks on: it is told, in b's name
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].second.accusers, std::vector{node("b")});
  // What it learns of the dead it passes on likewise.
  claim(ClaimKind::kFailed, "d", 5, "c");
  for (const Claim& claim : held()) {
    if (claim.id == node("d")) {
      EXPECT_EQ(claim.accusers, std::vector{node("c")});
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
  answering = {"a"};
  pass(seconds(12));
  size_t asked = 0;
  for (const auto& [to, ping] : sent<Ping>()) asked += to == address(50) ? 1 : 0;
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
  // What others tell here counts too, if it is the same.
  const Claim claim{ClaimKind::kFailed, node("m1"), 9, address(1), {}};
  rumors.put(claim);
  for (int i = 0; i < 3; ++i) rumors.heard({ClaimKind::kFailed, node("m1"), 8, address(1), {}}, 2);
  rumors.heard(claim, 2);
  EXPECT_FALSE(rumors.empty());
  rumors.heard(claim, 2);
  EXPECT_TRUE(rumors.empty());
  EXPECT_EQ(told.size(), 3U);
}

}  // namespace
}  // namespace shoal::gossip
