#include "gossip/swim/swim.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

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

  // What the world does: who of the members acks (all else is silence), what becomes of
  // connections, and what helpers say that answer.
  std::set<std::string> answering;
  Reach tcp = Reach::kSilent;
  std::optional<Reach> helpers_say;
  std::map<HostPort, std::pair<std::string, uint64_t>> known;
  std::vector<Swim::Outgoing> log;

  void meet(const std::string& name, uint32_t last, uint64_t incarnation = 10) {
    known[address(last)] = {name, incarnation};
    swim.hear({node(name), incarnation, address(last)}, address(last), now);
  }
  void meet_all(const std::string& names) {
    for (size_t i = 0; i < names.size(); ++i) {
      meet(names.substr(i, 1), static_cast<uint32_t>(2 + i));
    }
  }
  void react() {
    for (Swim::Outgoing& out : swim.take_outgoing()) {
      log.push_back(out);
      const auto to = known.find(out.to);
      if (to == known.end() || !answering.contains(to->second.first)) continue;
      const NodeId id = node(to->second.first);
      for (const Message& message : out.messages) {
        const auto* ping = std::get_if<Ping>(&message);
        const auto* request = std::get_if<PingRequest>(&message);
        if (ping == nullptr && request == nullptr) continue;
        swim.hear({id, to->second.second, out.to}, out.to, now);
        if (ping != nullptr) swim.receive_ack({ping->number});
        if (request != nullptr && helpers_say) {
          swim.receive_testimony(id, {request->number, *helpers_say});
        }
      }
    }
    for (const Swim::TcpProbe& probe : swim.take_tcp_probes()) {
      swim.finish_tcp_probe(probe.id, tcp, now);
    }
  }
  std::vector<Claim> held() {
    MemberDifference all;
    all.buckets.fill(0xff);
    return swim.claims_in(all);
  }
  MemberState state(const std::string& name) {
    for (const MemberInfo& member : swim.members()) {
      if (member.id == node(name)) return member.state;
    }
    ADD_FAILURE() << "unknown " << name;
    return MemberState::kLeft;
  }
  void claim(ClaimKind kind, const std::string& name, uint64_t incarnation,
             const std::string& accusers = "", bool news = true) {
    Claim claim{kind, node(name), incarnation, address(9), {}};
    for (const char accuser : accusers) claim.accusers.push_back(node(std::string(1, accuser)));
    swim.receive_claim(claim, address(8), news, now);
  }
  // Time passes.
  void pass(Duration duration) {
    const Instant end = now + duration;
    react();
    while (swim.next_deadline() <= end) {
      now = std::max(now + milliseconds(1), swim.next_deadline());
      swim.tick(now);
      react();
    }
    now = end;
    swim.tick(now);
    react();
  }
  template <typename M>
  std::vector<std::pair<HostPort, M>> sent() {
    std::vector<std::pair<HostPort, M>> found;
    for (Swim::Outgoing& out : swim.take_outgoing()) log.push_back(std::move(out));
    for (const Swim::Outgoing& out : std::exchange(log, {})) {
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
  tcp = Reach::kRefused;  // which leaves nothing to wait for
  pass(milliseconds(10));
  const auto said = sent<Testimony>();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].second.number, 8U);
  EXPECT_EQ(said[0].second.reach, Reach::kRefused);

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
  EXPECT_EQ(accusers.size(), 5U);
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
  // For a minute without a word; then it may as well be dead.
  pass(seconds(20));
  claim(ClaimKind::kSuspect, "a", 10, "bc");
  pass(seconds(5));
  EXPECT_EQ(state("a"), MemberState::kFailed);
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
  EXPECT_EQ(state("a"), MemberState::kFailed);
  // The word of the dead counts for nothing: one who was cut off brings its side's verdicts.
  claim(ClaimKind::kFailed, "b", 10, "acd");
  EXPECT_EQ(state("b"), MemberState::kAlive);
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
