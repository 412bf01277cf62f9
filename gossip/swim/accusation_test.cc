// Who is declared failed, by whose word, and who had better say nothing.
#include "gossip/swim/swim_fixture.h"

namespace shoal::gossip {
namespace {

TEST_F(SwimTest, WhatHelpersFindIsTheirAccusation) {
  meet_all("abcdef");
  answering = {"b", "c", "d", "e", "f"};
  helpers_say = Reach::kSilent;
  pass(seconds(5));
  EXPECT_EQ(state("a"), MemberState::kFailed);
  std::vector<NodeId> accusers;
  for (const Claim& claim : held()) {
    if (claim.id == node("a")) accusers = claim.accusers;
  }
  EXPECT_EQ(accusers.size(), config.quorum + 1);  // a verdict names no more than it needs
  EXPECT_EQ(accusers[0], node("self"));
  for (const char* name : {"b", "c", "d", "e", "f"}) EXPECT_EQ(state(name), MemberState::kAlive);
}

TEST_F(SwimTest, AStalledDaemonIsNotADeadOne) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  helpers_say = Reach::kUnknown;
  tcp = Reach::kStalled;
  pass(seconds(55));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().suspicions, 0U);
  // Others cannot have it failed either.
  claim(ClaimKind::kFailed, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  pass(seconds(2));
  EXPECT_EQ(swim.counts().failures, 0U);
}

TEST_F(SwimTest, WhatOneHelperFindsAliveNobodyAccuses) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  helpers_say = Reach::kStalled;
  pass(seconds(30));
  EXPECT_EQ(swim.counts().suspicions, 0U);
  EXPECT_EQ(state("a"), MemberState::kAlive);
}

TEST_F(SwimTest, ASuspicionWithoutAQuorumLapses) {
  meet_all("abcd");
  answering = {"a", "b", "c", "d"};
  claim(ClaimKind::kSuspect, "a", 10, "bx");  // x is nobody
  pass(milliseconds(2500));
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  pass(seconds(2));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().lapses, 1U);
  EXPECT_EQ(swim.counts().failures, 0U);
}

TEST_F(SwimTest, TheThirdVoiceMakesAFailure) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  claim(ClaimKind::kSuspect, "a", 10, "bc");
  pass(milliseconds(1500));
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  claim(ClaimKind::kSuspect, "a", 10, "d");  // its time is up already
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

TEST_F(SwimTest, TheQuorumIsOfThoseWhoCanJudge) {
  EXPECT_EQ(quorum(config, 0), 1U);
  EXPECT_EQ(quorum(config, 1), 2U);
  EXPECT_EQ(quorum(config, 9), 3U);
  EXPECT_EQ(probe_interval(config, 1), milliseconds(900));
  EXPECT_EQ(probe_interval(config, 10), milliseconds(767));
  EXPECT_EQ(probe_interval(config, 100'000), milliseconds(500));
  EXPECT_EQ(suspicion_time(config, 1000, 3), milliseconds(1300));
  EXPECT_EQ(suspicion_time(config, 1000, 2), milliseconds(1950));
  EXPECT_EQ(suspicion_time(config, 1, 1), milliseconds(2000));

  // Two of four others are dead: the two that are left are enough.
  meet_all("abcd");
  answering = {"d"};
  claim(ClaimKind::kSuspect, "a", 10, "d");
  claim(ClaimKind::kSuspect, "b", 10, "d");
  claim(ClaimKind::kSuspect, "c", 10, "d");
  helpers_say = Reach::kSilent;
  pass(seconds(5));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(state(name), MemberState::kFailed) << name;
  EXPECT_EQ(state("d"), MemberState::kAlive);
}

TEST_F(SwimTest, OneAccuserOfAllDoesNotShrinkTheQuorum) {
  meet_all("abcdef");
  answering = {"a", "b", "c", "d", "e", "f"};
  for (const char* name : {"a", "b", "c", "d", "e"}) claim(ClaimKind::kSuspect, name, 10, "f");
  pass(seconds(5));
  EXPECT_EQ(swim.counts().failures, 0U);
  EXPECT_EQ(swim.counts().lapses, 5U);
}

TEST_F(SwimTest, AVerdictNeedsAccusersThatAreLiveHere) {
  meet_all("abcdefg");
  answering = {"b", "c", "d", "e", "f", "g"};
  pass(milliseconds(1200));
  claim(ClaimKind::kFailed, "a", 10, "bxy");
  EXPECT_EQ(state("a"), MemberState::kAlive) << "two of them are nobody";
  claim(ClaimKind::kFailed, "a", 10, "bcd", false);
  EXPECT_EQ(state("a"), MemberState::kAlive) << "what an exchange brings may be old";
  meet("f", 7);
  meet("g", 8);
  claim(ClaimKind::kFailed, "g", 10, "bcd");
  claim(ClaimKind::kFailed, "f", 10, "bcd");
  EXPECT_EQ(swim.counts().failures, 0U) << "they were heard just now";
  meet("a", 2);
  claim(ClaimKind::kFailed, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive) << "it was heard just now";
  pass(milliseconds(1100));
  claim(ClaimKind::kFailed, "a", 9, "bcd");
  EXPECT_EQ(state("a"), MemberState::kAlive) << "it refuted that";
  claim(ClaimKind::kFailed, "a", 10, "bcd");
  EXPECT_EQ(state("a"), MemberState::kSuspect) << "it is looked at first";
  pass(milliseconds(230));
  EXPECT_EQ(state("a"), MemberState::kFailed);
  // The word of the dead counts for nothing: one who was cut off brings its side's verdicts.
  claim(ClaimKind::kFailed, "b", 10, "acd");
  EXPECT_EQ(state("b"), MemberState::kAlive);
}

// The accusers are those who cannot reach it: half of a cluster that is cut in two.
TEST_F(SwimTest, NobodyIsDeclaredFailedOnOthersWordsWhoAnswersHere) {
  meet_all("abcdef");
  answering = {"a", "b", "c", "d", "e", "f"};
  pass(seconds(3));
  for (const Reach reach : {Reach::kSilent, Reach::kAnswers}) {
    tcp = reach;  // datagrams are answered anyway
    claim(ClaimKind::kSuspect, "a", 10, "bcd");
    pass(seconds(6));
    claim(ClaimKind::kFailed, "a", 10, "bcd");
    pass(seconds(6));
    EXPECT_EQ(swim.counts().failures, 0U);
    EXPECT_EQ(state("a"), MemberState::kAlive) << "a suspicion that is not so lapses";
  }
  // Once it is silent here too.
  answering.erase("a");
  tcp = Reach::kSilent;
  pass(config.heard_lately);
  claim(ClaimKind::kFailed, "a", 10, "bcd");
  pass(milliseconds(230));
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

TEST_F(SwimTest, WhoIsNotToBeReachedIsASignOfLossUntilItSpeaks) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  helpers_say = Reach::kUnknown;
  tcp = Reach::kRefused;
  pass(seconds(20));
  EXPECT_FALSE(swim.strained(now)) << "its host answers";
  tcp = Reach::kSilent;
  pass(seconds(5));
  EXPECT_TRUE(swim.strained(now));
  EXPECT_TRUE(swim.take_reached().empty());
  answering.insert("a");
  meet("a", 2, 11);
  EXPECT_EQ(swim.take_reached(), std::vector{node("a")});
  meet("a", 2, 11);
  EXPECT_TRUE(swim.take_reached().empty());
  pass(config.strain);
  EXPECT_FALSE(swim.strained(now));
}

TEST_F(SwimTest, AFailedClaimThatDoesNotHoldIsAReasonToLook) {
  meet("a", 2);
  sent<Claim>();
  claim(ClaimKind::kFailed, "a", 10, "b");
  EXPECT_EQ(state("a"), MemberState::kAlive);
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, address(2));
}

TEST_F(SwimTest, WhoSaysWhatWasRefutedIsToldSo) {
  meet("a", 2, 11);
  claim(ClaimKind::kSuspect, "a", 10, "b");
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].first, address(8));
  EXPECT_EQ(told[0].second.kind, ClaimKind::kAlive);
  EXPECT_EQ(told[0].second.incarnation, 11U);
}

// Deaf, or cut off: it can tell neither, and leaves the others in peace.
TEST_F(SwimTest, WhoHearsNobodyKeepsItsOpinionsToItself) {
  meet_all("abcd");
  log.clear();
  pass(milliseconds(2900));
  EXPECT_EQ(swim.counts().suspicions, 0U);
  pass(milliseconds(2400));
  for (const char* name : {"a", "b", "c", "d"})
    EXPECT_EQ(state(name), MemberState::kFailed) << name;
  EXPECT_EQ(swim.counts().isolations, 1U);
  pass(seconds(10));
  Packer packer(swim.head(), 1400);
  swim.piggyback(packer, address(2));
  EXPECT_TRUE(packer.take().empty());
  for (const auto& [to, claim] : sent<Claim>()) {
    EXPECT_EQ(claim.kind, ClaimKind::kAlive) << claim.id.str();
  }
  // Heard again, it says what it believes, and is told otherwise.
  meet("a", 2);
  EXPECT_EQ(state("a"), MemberState::kFailed);
  const auto told = sent<Claim>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].second.kind, ClaimKind::kFailed);
  meet("a", 2, 11);
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(state("b"), MemberState::kFailed);
}

TEST_F(SwimTest, AWordInTimeEndsTheIsolation) {
  meet_all("abcd");
  pass(milliseconds(3100));
  EXPECT_EQ(state("b"), MemberState::kSuspect);
  meet("a", 2);
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(state(name), MemberState::kAlive) << name;
  EXPECT_EQ(swim.counts().failures, 0U);
}

// Its kernel speaks: this node is not cut off, and the other one not dead.
TEST_F(SwimTest, AStalledPeerIsNoIsolation) {
  meet("a", 2);
  tcp = Reach::kStalled;
  pass(seconds(30));
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().isolations, 0U);
}

TEST_F(SwimTest, ASickNodeAccusesNobody) {
  meet_all("ab");
  answering = {"b"};
  helpers_say = Reach::kSilent;
  for (uint64_t i = 0; i < 3; ++i) claim(ClaimKind::kSuspect, "self", 100 + i, "b");
  swim.receive_ping_request({7, node("x"), address(20)}, address(3), now);
  pass(milliseconds(300));
  const auto said = sent<Testimony>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].second.reach, Reach::kUnknown);
  EXPECT_EQ(swim.counts().suspicions, 0U);
  // What its probes of others show makes it well again.
  pass(seconds(30));
  EXPECT_EQ(state("a"), MemberState::kFailed);
}

TEST_F(SwimTest, AStallIsNobodysSilence) {
  meet_all("abcd");
  answering = {"b", "c", "d"};
  pass(milliseconds(100));
  claim(ClaimKind::kSuspect, "a", 10, "bcd");
  pass(milliseconds(500));
  now = now + seconds(30);
  swim.resume(seconds(30), now);
  swim.tick(now);
  EXPECT_EQ(state("a"), MemberState::kSuspect);
  pass(milliseconds(400));
  meet("a", 2, 11);
  EXPECT_EQ(state("a"), MemberState::kAlive);
  EXPECT_EQ(swim.counts().failures, 0U);
  EXPECT_EQ(swim.counts().isolations, 0U);
}

TEST(Suspicion, KeepsVoicesThatCount) {
  Suspicion suspicion(kStart);
  const auto all = [](const NodeId&) { return true; };
  EXPECT_TRUE(suspicion.accuse(node("a"), all));
  EXPECT_FALSE(suspicion.accuse(node("a"), all));
  for (const char* name : {"b", "c", "d", "e"}) EXPECT_TRUE(suspicion.accuse(node(name), all));
  EXPECT_FALSE(suspicion.accuse(node("f"), all));
  const auto but_c = [](const NodeId& id) { return id != node("c"); };
  EXPECT_TRUE(suspicion.accuse(node("f"), but_c));
  EXPECT_EQ(suspicion.accusers().size(), kMaxAccusers);
  EXPECT_EQ(suspicion.accusers()[2], node("f"));
  // A stall does not count, but only what there was of it since the start.
  suspicion.postpone(seconds(30), kStart + seconds(1));
  EXPECT_EQ(suspicion.start(), kStart + seconds(1));
}

// Three that died while this node was cut off: each is found out, though it is told of all of them
// again and again, and the living keep their turns.
TEST_F(SwimTest, WhoIsDoubtfulIsProbedBetweenTheOthers) {
  meet_all("abcdefghijklmnopqrstuvwx");
  for (char name = 'd'; name <= 'x'; ++name) answering.insert(std::string(1, name));
  helpers_say = Reach::kUnknown;
  std::set<NodeId> probed;
  for (int i = 0; i < 30; ++i) {
    for (const char* dead : {"a", "b", "c"}) claim(ClaimKind::kFailed, dead, 10, "z", false);
    pass(milliseconds(100));
    for (const auto& [to, ping] : sent<Ping>()) probed.insert(ping.target);
  }
  for (const char* dead : {"a", "b", "c"}) EXPECT_TRUE(probed.contains(node(dead))) << dead;
  EXPECT_GE(probed.size(), 3U + 3);  // 3 s are four turns
}

}  // namespace
}  // namespace shoal::gossip
