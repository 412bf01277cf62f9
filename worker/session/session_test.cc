#include "worker/session/session.h"

#include <gtest/gtest.h>

#include <set>

#include "worker/session/catalogue.h"

namespace shoal::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

HostPort manager_at(int i) { return {Ip::v4(0xC0A85A00U + static_cast<uint32_t>(i)), 2377}; }

// Runs a session in virtual time; `stream` and `manager` are those of the stream opened last.
struct Harness {
  SeededRng rng{7};
  Session session;
  Instant now{0};
  uint64_t stream = 0;
  HostPort manager;
  int opened = 0;
  int closed = 0;
  int heartbeats = 0;
  int quiet = 0;  // of them
  std::vector<Assignments> delivered;
  std::vector<bool> states;

  explicit Harness(int managers) : session(make(managers), rng) {
    session.start(now);
    settle();
  }
  static std::vector<HostPort> make(int managers) {
    std::vector<HostPort> out;
    for (int i = 1; i <= managers; ++i) out.push_back(manager_at(i));
    return out;
  }
  void settle() {
    session.tick(now);
    for (Session::Effect& effect : session.take_effects()) {
      if (auto* open = std::get_if<Session::OpenStream>(&effect)) {
        stream = open->stream;
        manager = open->manager;
        ++opened;
      } else if (std::holds_alternative<Session::CloseStream>(effect)) {
        ++closed;
      } else if (auto* heartbeat = std::get_if<Session::SendHeartbeat>(&effect)) {
        ++heartbeats;
        if (heartbeat->quiet) ++quiet;
      } else if (auto* assignments = std::get_if<Session::DeliverAssignments>(&effect)) {
        delivered.push_back(assignments->assignments);
      } else if (auto* state = std::get_if<Session::StateChanged>(&effect)) {
        states.push_back(state->active);
      }
    }
  }
  void give(Session::Input input) {
    session.receive(stream, std::move(input), now);
    settle();
  }
  // Fails the stream and returns how long the session waits before the next one.
  Duration fail(std::optional<HostPort> leader = std::nullopt) {
    const int before = opened;
    const Instant start = now;
    give(Session::Closed{unavailable("no"), leader});
    while (opened == before) {
      now = session.next_deadline();
      settle();
    }
    return now - start;
  }
  void activate() {
    give(Registered{"s", seconds(5)});
    Assignments all;
    all.complete = true;
    all.sequence = 1;
    give(all);
  }
};

TEST(Session, BacksOffWithJitterUpToTheBoundAndTriesEveryManager) {
  Harness h(3);
  std::set<std::string> tried{h.manager.str()};
  Duration bound = Session::kBackoffMin;
  for (int i = 0; i < 12; ++i) {
    const Duration waited = h.fail();
    EXPECT_GE(waited, bound / 2);
    EXPECT_LE(waited, bound);
    bound = std::min(bound * 2, Session::kBackoffMax);
    tried.insert(h.manager.str());
  }
  EXPECT_EQ(bound, Session::kBackoffMax);
  EXPECT_EQ(tried.size(), 3U);
}

TEST(Session, FollowsARedirectAtOnce) {
  Harness h(3);
  EXPECT_EQ(h.fail(manager_at(9)), Duration::zero());
  EXPECT_EQ(h.manager, manager_at(9));
}

TEST(Session, RedirectsWithoutEndBecomeSlow) {
  Harness h(1);
  int quick = 0;
  for (int i = 0; i < 40; ++i) {
    const Duration waited = h.fail(manager_at(5 + i % 2));
    if (waited <= Session::kQuickRetry) ++quick;
    EXPECT_LE(waited, Session::kBackoffMax);
  }
  EXPECT_GE(quick, Session::kQuickTries);
  EXPECT_LT(quick, 25);
}

TEST(Session, RetriesQuicklyWhenTheLeaderIsLost) {
  Harness h(3);
  for (int i = 0; i < 8; ++i) h.fail();
  h.activate();
  EXPECT_TRUE(h.session.active());
  EXPECT_EQ(h.fail(), Duration::zero());
  for (int i = 0; i < Session::kQuickTries; ++i) EXPECT_LE(h.fail(), Session::kQuickRetry);
  h.fail();
  h.fail();
  EXPECT_GT(h.fail(), Session::kQuickRetry / 2);
}

TEST(Session, AHurryEndsALongWait) {
  Harness h(2);
  Duration waited{};
  for (int i = 0; i < 12; ++i) waited = h.fail();
  ASSERT_GT(waited, seconds(2));
  h.give(Session::Closed{unavailable("no"), {}});
  const int before = h.opened;
  h.session.hurry(h.now);
  EXPECT_LE(h.session.next_deadline() - h.now, Session::kQuickRetry);
  h.now = h.session.next_deadline();
  h.settle();
  EXPECT_EQ(h.opened, before + 1);
  EXPECT_LE(h.fail(), Session::kBackoffMin);
  h.activate();
  h.session.hurry(h.now);  // changes nothing
  EXPECT_TRUE(h.session.active());
  EXPECT_EQ(h.closed, 0);
}

TEST(Session, HeartbeatsAndNoticesSilence) {
  Harness h(2);
  h.activate();
  for (int i = 1; i <= 10; ++i) {
    h.now = h.session.next_deadline();
    h.settle();
    EXPECT_EQ(h.heartbeats, i);
    h.give(Session::HeartbeatAck{});
  }
  const Instant heard = h.now;
  while (h.closed == 0) {
    h.now = h.session.next_deadline();
    h.settle();
  }
  EXPECT_EQ(h.now - heard, seconds(15));
  EXPECT_FALSE(h.states.back());
}

TEST(Session, EverySecondHeartbeatAsksForAnAnswer) {
  Harness h(2);
  h.activate();
  for (int i = 1; i <= 10; ++i) {
    const int quiet = h.quiet;
    h.now = h.session.next_deadline();
    h.settle();
    ASSERT_EQ(h.heartbeats, i);
    EXPECT_EQ(h.quiet, quiet + i % 2) << i;
    if (h.quiet == quiet) h.give(Session::HeartbeatAck{});
  }
  EXPECT_EQ(h.closed, 0);
  h.session.doubt(h.manager, h.now);
  h.settle();
  EXPECT_EQ(h.heartbeats, 11);
  EXPECT_EQ(h.quiet, 5) << "a leader in doubt has to answer";
}

TEST(Session, ADoubtedLeaderAnswersSoonOrLosesTheSession) {
  Harness h(2);
  h.activate();
  h.session.doubt(h.manager == manager_at(1) ? manager_at(2) : manager_at(1), h.now);
  h.settle();
  EXPECT_EQ(h.heartbeats, 0) << "another manager";
  h.session.doubt(h.manager, h.now);
  h.settle();
  EXPECT_EQ(h.heartbeats, 1) << "asked at once";
  h.now = h.now + seconds(1);
  h.session.doubt(h.manager, h.now);  // changes nothing
  h.give(Session::HeartbeatAck{});
  h.now = h.now + seconds(3);
  h.settle();
  EXPECT_EQ(h.closed, 0) << "it answered";
  h.session.doubt(h.manager, h.now);
  h.settle();
  EXPECT_EQ(h.session.next_deadline(), h.now + Session::kDoubtPatience);
  h.now = h.now + Session::kDoubtPatience;
  h.settle();
  EXPECT_EQ(h.closed, 1);
  EXPECT_FALSE(h.session.active());
}

TEST(Session, GivesUpAManagerThatDoesNotAnswer) {
  Harness h(2);
  const HostPort first = h.manager;
  h.now = h.session.next_deadline();
  EXPECT_EQ(h.now.nanoseconds, Session::kOpenTimeout.count());
  h.settle();
  EXPECT_EQ(h.closed, 1);
  h.now = h.session.next_deadline();
  h.settle();
  EXPECT_NE(h.manager, first);
}

TEST(Session, AGapInTheSequenceOpensTheSessionAgain) {
  Harness h(1);
  h.activate();
  Assignments change;
  change.sequence = 2;
  h.give(change);
  EXPECT_EQ(h.delivered.size(), 2U);
  change.sequence = 4;
  h.give(change);
  EXPECT_EQ(h.delivered.size(), 2U);
  EXPECT_EQ(h.closed, 1);
  EXPECT_EQ(h.opened, 2);
}

TEST(Session, AnIncompleteFirstAssignmentIsRefused) {
  Harness h(1);
  h.give(Registered{"s", seconds(5)});
  Assignments change;
  change.sequence = 1;
  h.give(change);
  EXPECT_TRUE(h.delivered.empty());
  EXPECT_EQ(h.closed, 1);
}

manager::Network network(char fill, const std::string& name) {
  manager::Network out;
  out.id = NetworkId(std::string(kIdLength - 1, 'a') + fill);
  out.spec.name = name;
  return out;
}

Assignments part(uint64_t sequence, bool more, std::vector<manager::Network> networks) {
  Assignments out;
  out.sequence = sequence;
  out.more = more;
  out.networks = std::move(networks);
  return out;
}

TEST(Session, AssignmentsInSeveralMessagesAreDeliveredAsOne) {
  Harness h(1);
  h.give(Registered{"s", seconds(5)});
  Assignments first = part(1, true, {network('1', "one")});
  first.complete = true;
  h.give(first);
  h.give(part(2, true, {network('2', "two")}));
  EXPECT_TRUE(h.delivered.empty());
  h.give(part(3, false, {network('3', "three")}));
  ASSERT_EQ(h.delivered.size(), 1U);
  EXPECT_TRUE(h.delivered[0].complete);
  EXPECT_EQ(h.delivered[0].networks.size(), 3U);
  h.give(part(4, true, {network('4', "four")}));
  Assignments removal = part(5, false, {});
  removal.removed_networks = {network('1', "").id};
  h.give(removal);
  ASSERT_EQ(h.delivered.size(), 2U);
  EXPECT_FALSE(h.delivered[1].complete);
  EXPECT_EQ(h.delivered[1].networks.size(), 1U);
  EXPECT_EQ(h.delivered[1].removed_networks.size(), 1U);
}

TEST(Session, WhatABrokenStreamBeganIsNotPartOfTheNext) {
  Harness h(1);
  h.give(Registered{"s", seconds(5)});
  Assignments first = part(1, true, {network('1', "one")});
  first.complete = true;
  h.give(first);
  h.fail();
  h.activate();
  ASSERT_EQ(h.delivered.size(), 1U);
  EXPECT_TRUE(h.delivered[0].networks.empty());
}

TEST(Session, AssignmentsWithoutAnEndAreRefused) {
  Harness h(1);
  h.activate();
  Assignments change;
  change.more = true;
  change.removed_networks.resize(Session::kMaxListed / 2);
  for (change.sequence = 2; change.sequence <= 4; ++change.sequence) h.give(change);
  EXPECT_EQ(h.closed, 1);
  EXPECT_EQ(h.delivered.size(), 1U);
}

TEST(Session, IgnoresWhatAnOlderStreamSays) {
  Harness h(2);
  const uint64_t old = h.stream;
  h.fail();
  h.session.receive(old, Registered{"s", seconds(5)}, h.now);
  EXPECT_FALSE(h.session.active());
}

TEST(Session, LearnsTheManagersFromTheLeader) {
  Harness h(1);
  h.activate();
  ClusterInfo info;
  for (int i = 20; i < 23; ++i) {
    manager::Node node;
    node.addresses.control = manager_at(i);
    info.managers.push_back(node);
  }
  h.give(info);
  EXPECT_EQ(h.session.managers().size(), 3U);
  h.fail();
  EXPECT_GE(h.manager, manager_at(20));
  info.managers.clear();
  h.give(Registered{"s", seconds(5)});
  h.give(info);
  EXPECT_EQ(h.session.managers().size(), 3U) << "an empty list is not believed";
}

TEST(Session, WithoutAnyManagerWaitsForAHint) {
  Harness h(0);
  EXPECT_EQ(h.opened, 0);
  h.session.hint_leader(manager_at(1), h.now);
  h.settle();
  EXPECT_EQ(h.opened, 1);
}

TEST(Session, StopClosesAndStaysStopped) {
  Harness h(1);
  h.activate();
  h.session.stop();
  h.settle();
  EXPECT_EQ(h.closed, 1);
  EXPECT_EQ(h.session.next_deadline(), Instant::max());
}

TEST(Catalogue, AddsReplacesAndRemoves) {
  Catalogue catalogue;
  Assignments all;
  all.complete = true;
  all.networks = {network('1', "one"), network('2', "two")};
  catalogue.apply(all);
  Assignments change;
  change.networks = {network('2', "zwei")};
  change.removed_networks = {network('1', "one").id};
  catalogue.apply(change);
  EXPECT_FALSE(catalogue.find_network("one").ok());
  EXPECT_EQ(catalogue.find_network("zwei")->id, network('2', "").id);
  EXPECT_EQ(catalogue.content().networks.size(), 1U);
  all.networks.clear();
  catalogue.apply(all);
  EXPECT_TRUE(catalogue.networks().empty());
}

TEST(Catalogue, FindsByNameIdAndUniquePrefix) {
  Catalogue catalogue;
  Assignments all;
  all.complete = true;
  all.networks = {network('1', "one"), network('2', "two")};
  catalogue.apply(all);
  EXPECT_EQ(catalogue.find_network(network('1', "").id.str())->spec.name, "one");
  EXPECT_EQ(catalogue.find_network("aa").error().code, ErrorClass::kInvalidArgument);
  EXPECT_EQ(catalogue.find_network("zz").error().code, ErrorClass::kNotFound);
}

}  // namespace
}  // namespace shoal::worker
