// Daemons that get no CPU, or hang: who vouches for them, and how long.
#include "gossip/swim/swim_fixture.h"

namespace shoal::gossip {
namespace {

// Of rumours and of what is sent at once.
std::vector<Claim> told(const std::vector<std::pair<HostPort, Claim>>& sent, ClaimKind kind) {
  std::vector<Claim> found;
  for (const auto& [to, claim] : sent) {
    if (claim.kind == kind) found.push_back(claim);
  }
  return found;
}

struct StalledTest : SwimTest {
  std::vector<Claim> rumours() {
    Packer packer(swim.head(), 1200);
    swim.piggyback(packer, address(3));
    std::vector<Claim> claims;
    for (const Bytes& plain : packer.take()) {
      const Result<Packet> packet = decode_packet(plain);
      for (const Message& message : packet->messages) {
        if (const auto* claim = std::get_if<Claim>(&message)) claims.push_back(*claim);
      }
    }
    return claims;
  }
  bool spreads(ClaimKind kind, const std::string& name) {
    for (const Claim& claim : rumours()) {
      if (claim.kind == kind && claim.id == node(name)) return true;
    }
    return false;
  }
};

TEST_F(StalledTest, WhoIsSuspectedIsLookedAtBeforeItsTimeIsUp) {
  meet_all("abcdef");
  answering = {"b", "c", "d", "e", "f"};
  tcp = Reach::kStalled;
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  pass(milliseconds(250));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  // All are told, and so is the suspect.
  EXPECT_TRUE(spreads(ClaimKind::kStalled, "a"));
  const auto direct = told(sent<Claim>(), ClaimKind::kStalled);
  ASSERT_FALSE(direct.empty());
  EXPECT_EQ(direct[0], (Claim{ClaimKind::kStalled, node("a"), 10, address(2), {}}));
  pass(seconds(10));
  EXPECT_EQ(swim.counts().failures, 0U);
}

TEST_F(StalledTest, OneVoucherIsWorthMoreThanAllAccusers) {
  meet_all("abcdef");
  answering = {"b", "c", "d", "e", "f"};
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  pass(milliseconds(300));
  claim(ClaimKind::kStalled, "a", 10);
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_TRUE(spreads(ClaimKind::kStalled, "a"));
  // What is late starts nothing, and a verdict by it is not taken over.
  claim(ClaimKind::kSuspect, "a", 10, "bcde");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  claim(ClaimKind::kFailed, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().failures, 0U);
}

// Its host died meanwhile: words about it must not keep each other alive.
TEST_F(StalledTest, WhatWasOnlyHeardOfIsNotSaidAgain) {
  meet_all("abcdef");
  answering = {"b", "c", "d", "e", "f"};
  helpers_say = Reach::kSilent;
  claim(ClaimKind::kStalled, "a", 10);
  while (spreads(ClaimKind::kStalled, "a")) pass(milliseconds(100));
  sent<Claim>();
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_FALSE(spreads(ClaimKind::kStalled, "a"));
  EXPECT_TRUE(told(sent<Claim>(), ClaimKind::kStalled).empty());
  pass(seconds(8));
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

TEST_F(StalledTest, AVoucherOfAnEarlierLifeSaysNothing) {
  meet_all("abcd");
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  claim(ClaimKind::kStalled, "a", 9);
  EXPECT_EQ(state("a"), MemberState::kSuspect);
}

TEST_F(StalledTest, WhoFoundItStalledAMomentAgoDefendsIt) {
  meet_all("abcdefghi");
  answering = {"b", "c", "d", "e", "f", "g", "h", "i"};
  tcp = Reach::kStalled;
  helpers_say = Reach::kUnknown;
  while (sent<PingRequest>().empty()) pass(milliseconds(10));
  pass(milliseconds(10));
  EXPECT_FALSE(spreads(ClaimKind::kStalled, "a"));  // nobody asked
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_TRUE(spreads(ClaimKind::kStalled, "a"));
  EXPECT_EQ(swim.counts().suspicions, 0U);
}

TEST_F(StalledTest, WhoHearsThatItIsStalledDeniesIt) {
  meet_all("ab");
  swim.receive_claim({ClaimKind::kStalled, node("self"), 100, address(1), {}}, address(2), true,
                     now);
  EXPECT_EQ(swim.incarnation(), 101U);
  EXPECT_EQ(swim.counts().refutations, 1U);
  EXPECT_EQ(told(sent<Claim>(), ClaimKind::kAlive).size(), 1U);
}

TEST_F(StalledTest, WhoHangsForGoodIsDeclaredFailedInTime) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  helpers_say = Reach::kUnknown;
  tcp = Reach::kStalled;
  pass(seconds(30));
  EXPECT_FALSE(spreads(ClaimKind::kStalled, "a"));
  pass(seconds(20));
  EXPECT_TRUE(spreads(ClaimKind::kStalled, "a"));
  EXPECT_EQ(swim.counts().suspicions, 0U);
  helpers_say = Reach::kSilent;  // as they gave it up, too
  pass(seconds(40));
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

TEST_F(StalledTest, WhoDeniesItHasAllItsTimeAgain) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  tcp = Reach::kStalled;
  helpers_say = Reach::kUnknown;
  claim(ClaimKind::kStalled, "a", 10);
  pass(seconds(35));
  swim.hear({node("a"), 11, address(2)}, address(2), now);
  helpers_say = Reach::kSilent;
  pass(seconds(20));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().suspicions, 0U);
}

// Found so by others long ago, of which this node was told: it need not see it for itself.
TEST_F(StalledTest, TheTimeIsCountedFromTheWordThatAllHeard) {
  meet_all("abcdefghijklmnopqrst");
  for (char name = 'b'; name <= 't'; ++name) answering.insert(std::string(1, name));
  helpers_say = Reach::kUnknown;
  claim(ClaimKind::kStalled, "a", 10);
  tcp = Reach::kStalled;
  pass(seconds(34));
  EXPECT_EQ(swim.counts().suspicions, 0U);
  pass(seconds(6));
  claim(ClaimKind::kStalled, "a", 10);  // who still vouches is late
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  pass(seconds(2));
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

}  // namespace
}  // namespace shoal::gossip
