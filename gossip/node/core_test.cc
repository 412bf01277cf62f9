// What membership, tables and exchanges do together. tests/sim/gossip does the rest by chance.
#include "gossip/node/core_fixture.h"

namespace shoal::gossip {
namespace {

using testing::UnorderedElementsAre;

TEST_F(CoreTest, AJoinerLearnsEverythingFromOneSeed) {
  form();
  ASSERT_TRUE(at("c").core.upsert(kNet, "before", {2}).ok());
  run(milliseconds(100));
  Node& d = start("d", 4, "b");
  run(seconds(1));
  EXPECT_THAT(d.shown(), UnorderedElementsAre("a/a", "b/b", "c/c", "c/before", "d/d"));
  EXPECT_EQ(d.core.swim().live_count(), 3U);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(at(name).entries.contains("d/d")) << name;
}

TEST_F(CoreTest, WhatIsRestoredIsKnownAndNoNews) {
  std::vector<Claim> members;
  std::vector<EntryEvent> entries;
  for (const char* name : {"a", "b", "c"}) {
    const Core& core = start(name, static_cast<uint32_t>(name[0] - 'a' + 1)).core;
    const Head own = core.swim().head();
    members.push_back({ClaimKind::kAlive, own.sender, own.incarnation, own.address, {}});
    const auto& said = core.tables().own_events();
    entries.insert(entries.end(), said.begin(), said.end());
  }
  for (const char* name : {"a", "b", "c"}) {
    Core& core = at(name).core;
    core.restore(members, entries, now_);
    EXPECT_EQ(core.swim().live_count(), 2U);
    EXPECT_EQ(core.tables().peers(kNet).size(), 2U);
    const Effects effects = core.take_effects(now_);
    EXPECT_EQ(effects.members.size(), 2U);
    EXPECT_EQ(effects.entries.size(), 3U);
    EXPECT_TRUE(effects.datagrams.empty());
  }
  EXPECT_EQ(at("a").core.swim().digest(), at("c").core.swim().digest());
  EXPECT_EQ(at("a").core.tables().digest(kNet), at("c").core.tables().digest(kNet));
  run(seconds(20));
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(at(name).core.counters().exchanges_started, 0U) << name;
  }
  ASSERT_TRUE(at("b").core.upsert(kNet, "late", {1}).ok());
  run(seconds(1));
  EXPECT_TRUE(at("a").entries.contains("b/late"));
}

TEST_F(CoreTest, MembersLearntInBulkAreNotSpread) {
  const Head b{named<NodeId>("b"), 5, {Ip::v4(0xc0000202U), 7946}};
  for (const uint32_t members : {10U, 100U}) {
    Core& a = start("a", 1).core;
    say(at("a"), b, {Ping{1, at("a").id}});
    // Its first contact is asked for everything, and answers with many members.
    a.tick(now_);
    const std::vector<Effects::Exchange> asked = a.take_effects(now_).exchanges;
    ASSERT_EQ(asked.size(), 1U);
    Packer answer(b, kMaxFrame - kSealOverhead);
    for (uint32_t i = 0; i < members; ++i) {
      const NodeId id = named<NodeId>("m" + std::to_string(i) + "x");
      answer.add(
          encode_message(Claim{ClaimKind::kAlive, id, 1, {Ip::v4(0x0a000000U + i), 7946}, {}}));
    }
    a.finish_exchange(asked[0].id, answer.take(true).front(), now_);
    EXPECT_EQ(a.swim().live_count(), members + 1);
    std::set<NodeId> spread;
    for (const auto& datagram : a.take_effects(now_).datagrams) {
      const auto packet = decode_packet(datagram.plain);
      ASSERT_TRUE(packet.ok());
      for (const Message& message : packet->messages) {
        const auto* claim = std::get_if<Claim>(&message);
        if (claim != nullptr && claim->id != b.sender) spread.insert(claim->id);
      }
    }
    EXPECT_EQ(spread.size(), members == 10 ? 10U : 0U);
  }
}

TEST_F(CoreTest, ASilentNodeIsSuspectedThenHiddenAndComesBackWithItsEntries) {
  form();
  at("c").cut = true;
  const NodeId c = at("c").id;
  for (int i = 0; i < 100 && at("a").members[c] == MemberState::kAlive; ++i) run(milliseconds(100));
  EXPECT_EQ(at("a").members[c], MemberState::kSuspect);
  EXPECT_TRUE(at("a").entries.contains("c/c")) << "a suspect is still shown";
  for (int i = 0; i < 100 && at("a").members[c] != MemberState::kFailed; ++i)
    run(milliseconds(100));
  run(seconds(2));
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(at(name).members[c], MemberState::kFailed) << name;
    EXPECT_FALSE(at(name).entries.contains("c/c")) << name;
  }
  // It blames itself first and is slower to give the others up.
  for (int i = 0; i < 300 && at("c").entries.size() > 1; ++i) run(milliseconds(100));
  EXPECT_THAT(at("c").shown(), UnorderedElementsAre("c/c"));
  at("c").cut = false;
  run(seconds(2));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(at(name).entries.size(), 3U) << name;
  EXPECT_EQ(at("a").members[c], MemberState::kAlive);
}

TEST_F(CoreTest, AnAccusedNodeRefutesAtOnce) {
  form();
  Node& a = at("a");
  const uint64_t before = a.core.swim().head().incarnation;
  const Claim suspect{ClaimKind::kSuspect, a.id, before, a.address, {at("b").id}};
  const auto claims = say(a, head("b"), {suspect});
  ASSERT_FALSE(claims.empty());
  EXPECT_THAT(claims, testing::Each(Claim{ClaimKind::kAlive, a.id, before + 1, a.address, {}}));
  EXPECT_EQ(a.core.counters().refutations, 1U);
  say(a, head("b"), {suspect});
  EXPECT_EQ(a.core.counters().refutations, 1U) << "an old accusation is answered already";
  run(seconds(3));
  EXPECT_EQ(at("c").members[a.id], MemberState::kAlive);
  EXPECT_EQ(at("c").core.counters().failures, 0U);
}

// By stream it is told what is said of it, and what it answers says otherwise.
TEST_F(CoreTest, AProbeByStreamIsAnsweredByWhomItIsFor) {
  form();
  Node& a = at("a");
  const Head accused = a.core.swim().head();
  const auto question = [&](const NodeId& target) {
    Packer packer(head("b"), 1400);
    packer.add(encode_message(Ping{77, target}));
    packer.add(encode_message(
        Claim{ClaimKind::kSuspect, a.id, accused.incarnation, accused.address, {at("b").id}}));
    return packer.take().front();
  };
  EXPECT_TRUE(a.core.answer_exchange(question(at("c").id), now_).empty());
  EXPECT_EQ(a.core.counters().drops(DropReason::kMisdirected), 1U);
  const Packet answer = decode_packet(a.core.answer_exchange(question(a.id), now_)).value();
  EXPECT_EQ(answer.head.sender, a.id);
  EXPECT_EQ(answer.head.incarnation, accused.incarnation + 1);
  ASSERT_EQ(answer.messages.size(), 1U);
  EXPECT_EQ(std::get<Ack>(answer.messages[0]).number, 77U);
}

// Whoever else sits at the member's address now, or answers something else: the member is not
// there.
TEST_F(CoreTest, OnlyTheMembersOwnAckIsAnAnswer) {
  form();
  Node& a = at("a");
  const NodeId c = at("c").id;
  at("c").cut = true;
  std::optional<Effects::TcpProbe> asked;
  while (!asked) {
    now_ = now_ + milliseconds(10);
    ASSERT_LT(now_, Instant{30'000'000'000});
    a.core.tick(now_);
    Effects effects = a.core.take_effects(now_);
    for (auto& probe : effects.tcp_probes) {
      if (probe.to == at("c").address) {
        asked = probe;
      } else {
        // The others are heard, as far as this goes.
        const Bytes answer = at("b").core.answer_exchange(probe.plain, now_);
        a.core.finish_tcp_probe(probe.id, Reach::kAnswers, answer, now_);
      }
    }
  }
  const Packet question = decode_packet(asked->plain).value();
  const uint32_t number = std::get<Ping>(question.messages.at(0)).number;
  const auto answer_of = [&](const Head& head, uint32_t acked) {
    Packer packer(head, 1400);
    packer.add(encode_message(Ack{acked}));
    return packer.take().front();
  };
  const Swim& swim = a.core.swim();
  EXPECT_FALSE(swim.acks_tcp(asked->id, at("b").id, {number}));
  EXPECT_FALSE(swim.acks_tcp(asked->id, c, {number + 1}));
  EXPECT_FALSE(swim.acks_tcp(asked->id + 1, c, {number}));
  EXPECT_TRUE(swim.acks_tcp(asked->id, c, {number}));
  const Bytes other = answer_of(head("b"), number);
  a.core.finish_tcp_probe(asked->id, Reach::kAnswers, other, now_);
  run(seconds(6));
  EXPECT_EQ(a.members[c], MemberState::kFailed);
}

// Who did not run knows nothing of the time it slept through: the refutation of the suspect and the
// answer of the probed wait in the socket.
TEST_F(CoreTest, WhoStalledAccusesNobody) {
  form();
  Node& a = at("a");
  Node& b = at("b");
  Node& c = at("c");
  for (int i = 0; i < 20; ++i) {
    // It holds c for suspect, and waits for an answer in one phase of its probe or another.
    b.stalled = c.stalled = true;
    const Head suspect = head("c");
    say(a, head("b"),
        {Claim{ClaimKind::kSuspect, c.id, suspect.incarnation, suspect.address, {b.id}}});
    run(milliseconds(20 * i));
    a.stalled = true;
    wake(b);
    wake(c);
    const uint64_t suspicions = a.core.counters().suspicions;
    run(seconds(1 + 3 * (i % 5)));
    wake(a);
    EXPECT_EQ(a.core.counters().suspicions, suspicions) << i;
    run(seconds(3));
    EXPECT_EQ(a.core.counters().failures, 0U) << i;
    EXPECT_EQ(a.core.swim().live_count(), 2U) << i;
  }
}

// News are told a limited number of times, so telling must mean that somebody can hear it: not a
// stranger with a captured ping, nor the dead.
TEST_F(CoreTest, NewsAreNotSpentOnWhoCannotHearThem) {
  form();
  Node& a = at("a");
  const NodeId x = named<NodeId>("x");
  const HostPort stranger = HostPort::parse("198.51.100.9:1").value();
  Packer news(head("b"), 1400);
  const HostPort x_address = HostPort::parse("192.0.2.200:7946").value();
  news.add(encode_message(Claim{ClaimKind::kAlive, x, 5, x_address, {}}));
  a.core.receive_packet(head("b").address, news.take().front(), now_);
  size_t told_stranger = 0;
  for (int i = 0; i < 50; ++i) {
    Packer ping(head("b"), 1400);
    ping.add(encode_message(Ping{static_cast<uint32_t>(i), a.id}));
    a.core.receive_packet(stranger, ping.take().front(), now_);
    for (const auto& datagram : a.core.take_effects(now_).datagrams) {
      const Packet packet = decode_packet(datagram.plain).value();
      for (const Message& message : packet.messages) {
        if (datagram.to == stranger && std::holds_alternative<Claim>(message)) ++told_stranger;
      }
    }
  }
  EXPECT_EQ(told_stranger, 0U);
  run(milliseconds(900));
  EXPECT_TRUE(at("c").core.swim().is_known(x));
}

// What one event costs does not grow with the members of its network.
TEST_F(CoreTest, AnEventInALargeNetworkCostsLittle) {
  Node& a = start("a", 1);
  constexpr uint32_t kPeers = 5000;
  for (uint32_t i = 0; i < kPeers; ++i) {
    const NodeId id = named<NodeId>("p" + std::to_string(i) + "x");
    Packer packer({id, 5, {Ip::v4(0x0a000000U + i), 7946}}, 1400);
    ByteWriter epoch;
    epoch.u64(1);
    const EntryEvent joining{Tables::directory(), id, 1, 1, false, kNet.str(), epoch.take()};
    packer.add(encode_message(joining));
    a.core.receive_packet({Ip::v4(0x0a000000U + i), 7946}, packer.take().front(), now_);
  }
  ASSERT_EQ(a.core.tables().peers(kNet).size(), kPeers);
  settle(a);
  const NodeId owner = named<NodeId>("p0x");
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t i = 1; i <= 10'000; ++i) {
    Packer packer({owner, 5, {Ip::v4(0x0a000000U), 7946}}, 1400);
    packer.add(encode_message(EntryEvent{kNet, owner, 1, i, false, "k", {1}}));
    a.core.receive_packet({Ip::v4(0x0a000000U), 7946}, packer.take().front(), now_);
  }
  // A copy of all ids for each would take ten.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(3));
  EXPECT_EQ(a.core.tables().counts().refused, 0U);
}

TEST_F(CoreTest, WhatIsParkedForAnOwnerThatNeverComesIsDropped) {
  form();
  Node& a = at("a");
  const size_t before = a.core.tables().entries();
  const uint64_t digest = a.core.tables().digest(kNet);
  for (int i = 0; i < 10; ++i) {
    const NodeId ghost = named<NodeId>("ghost" + std::to_string(i) + "x");
    say(a, head("b"), {EntryEvent{kNet, ghost, 7, 1, false, "web", {1}}});
  }
  EXPECT_EQ(a.core.tables().entries(), before + 10);
  EXPECT_EQ(a.core.tables().digest(kNet), digest) << "nobody is asked for the same again";
  run(seconds(120));
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(at(name).core.tables().entries(), before) << name;
  }
}

// Numbers have an end: whoever claims the last one must not make us say what nobody can read.
TEST_F(CoreTest, NobodyIsDrivenBeyondTheLastNumber) {
  form();
  Node& a = at("a");
  for (const ClaimKind kind : {ClaimKind::kSuspect, ClaimKind::kAlive, ClaimKind::kLeft}) {
    const HostPort elsewhere = HostPort::parse("192.0.2.77:1").value();
    say(a, head("b"), {Claim{kind, a.id, kMaxNumber, elsewhere, {at("b").id}}});
  }
  say(a, head("b"), {EntryEvent{kNet, a.id, kMaxNumber, 1, false, "a", {9}}});
  EXPECT_LE(a.core.swim().head().incarnation, kMaxNumber);
  ASSERT_TRUE(a.core.upsert(kNet, "later", {3}).ok());
  say(a, head("b"), {});
  run(seconds(1));
  EXPECT_TRUE(at("b").entries.contains("a/later"));
  EXPECT_EQ(at("b").core.counters().drops(DropReason::kMalformed), 0U);
}

TEST_F(CoreTest, AForgottenNodeIsGoneAndDoesNotComeBackByAntiEntropy) {
  form();
  Node& a = at("a");
  Node& b = at("b");
  const NodeId c = at("c").id;
  const HostPort c_address = at("c").address;
  at("c").cut = true;
  a.core.forget(c, now_);
  settle(a);
  EXPECT_EQ(a.members[c], MemberState::kLeft);
  EXPECT_THAT(a.shown(), UnorderedElementsAre("a/a", "b/b"));

  // b was not told yet: it holds c, and both compare what they have again and again.
  run(seconds(30));
  EXPECT_TRUE(b.core.swim().is_known(c));
  EXPECT_GT(a.core.counters().exchanges_answered + b.core.counters().exchanges_answered, 0U);
  EXPECT_THAT(a.shown(), UnorderedElementsAre("a/a", "b/b"));
  EXPECT_FALSE(a.core.swim().is_known(c));
  EXPECT_EQ(a.core.swim().live_count(), 1U);
  // Nor by news of it, in any form.
  const merkle::Message ranges{.entries = {{c.str(), kMaxNumber, 1, false, false, "c", {1}}}};
  say(a, head("b"),
      {Claim{ClaimKind::kAlive, c, kMaxNumber, c_address, {}},
       Claim{ClaimKind::kSuspect, c, kMaxNumber, c_address, {b.id}},
       EntryEvent{kNet, c, kMaxNumber, 1, false, "c", {1}},
       Sync{SyncKind::kQuestion, 1, {{kNet, true, ranges}}}});
  EXPECT_FALSE(a.core.swim().is_known(c));
  EXPECT_FALSE(a.entries.contains("c/c"));

  // Its own packets are dropped and counted.
  at("c").cut = false;
  const uint64_t dropped = a.core.counters().drops(DropReason::kForgotten);
  run(seconds(2));
  EXPECT_GT(a.core.counters().drops(DropReason::kForgotten), dropped);
  EXPECT_FALSE(a.core.swim().is_known(c));

  // Once all were told, nothing differs any more.
  b.core.forget(c, now_);
  nodes_.erase("c");
  run(seconds(1));
  EXPECT_EQ(a.core.swim().digest(), b.core.swim().digest());
  EXPECT_EQ(a.core.tables().digest(kNet), b.core.tables().digest(kNet));
  EXPECT_EQ(a.core.tables().digest(Tables::directory()),
            b.core.tables().digest(Tables::directory()));
  EXPECT_THAT(b.shown(), UnorderedElementsAre("a/a", "b/b"));
}

TEST_F(CoreTest, AStartIsToldOfTheForgottenBeforeItHearsOfThem) {
  form();
  at("c").cut = true;
  const NodeId c = at("c").id;
  Node& a = start("a", 1, "b");
  a.core.forget(c, now_);
  run(seconds(10));
  EXPECT_THAT(a.shown(), UnorderedElementsAre("a/a", "b/b"));
  EXPECT_FALSE(a.core.swim().is_known(c));
  EXPECT_FALSE(a.members.contains(c));
}

TEST_F(CoreTest, KeysAreRotatedNodeByNodeWithoutALoss) {
  form();
  const auto rotate = [&](const KeyRing& keys) {
    for (const char* name : {"a", "b", "c"}) {
      at(name).guard.set_keys(keys);
      ASSERT_TRUE(at(name).core.upsert(kNet, name, Bytes{++value_}).ok());
      run(seconds(1));
      for (const char* other : {"a", "b", "c"}) {
        EXPECT_EQ(at(other).entries.at(std::string(name) + "/" + name), Bytes{value_}) << other;
      }
    }
  };
  rotate(ring({1, 2}, 0));
  rotate(ring({1, 2}, 1));
  rotate(ring({2}, 0));
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(at(name).core.counters().drops(DropReason::kUnknownKey), 0U) << name;
    EXPECT_EQ(at(name).core.counters().failures, 0U) << name;
  }
}

TEST_F(CoreTest, WhoMissedARotationIsCutOffAndComesBackWithTheKey) {
  form();
  at("a").guard.set_keys(ring({2}));
  at("b").guard.set_keys(ring({2}));
  run(seconds(10));
  EXPECT_EQ(at("a").members[at("c").id], MemberState::kFailed);
  EXPECT_FALSE(at("a").entries.contains("c/c"));
  EXPECT_GT(at("c").core.counters().drops(DropReason::kUnknownKey), 0U);
  at("c").guard.set_keys(ring({1, 2}, 1));
  run(seconds(3));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(at(name).entries.size(), 3U) << name;
}

// It asks one of the others for all members; that it lacks them is no reason for each to ask it.
TEST_F(CoreTest, WhoJustStartedHasTimeToLearnOfAllMembers) {
  form();
  Node& a = at("a");
  Head back = head("c");
  back.incarnation = first_incarnation(++epoch_);
  at("c").cut = true;
  run(seconds(6));
  ASSERT_EQ(a.core.swim().live_count(), 1U);
  say(a, back, {Digest{1, {}}});
  size_t questions = 0;
  size_t compared = 0;
  for (const Instant until = now_ + milliseconds(1300); now_ < until;
       now_ = now_ + milliseconds(20)) {
    a.core.tick(now_);
    const Effects effects = a.core.take_effects(now_);
    for (const auto& exchange : effects.exchanges) questions += exchange.to == back.address;
    for (const auto& datagram : effects.datagrams) {
      if (datagram.to != back.address) continue;
      const auto packet = decode_packet(datagram.plain);
      for (const Message& message : packet->messages) {
        compared += std::holds_alternative<SharedDigest>(message);
      }
    }
  }
  EXPECT_EQ(questions, 0U);
  EXPECT_GE(compared, 1U);
}

}  // namespace
}  // namespace shoal::gossip
