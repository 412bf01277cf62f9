#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "base/ports/ports.h"
#include "gossip/table/tables.h"

namespace shoal::gossip {
namespace {

using std::chrono::seconds;

std::string padded(const std::string& text) {
  return text + std::string(kIdLength - text.size(), '0');
}
const NodeId kSelf(padded("self"));
const NodeId kPeer(padded("peer"));
const NetworkId kNet(padded("net"));
const Instant kNow{1'000'000'000};

EntryEvent event(uint64_t sequence, const std::string& key, bool deleted = false,
                 uint64_t epoch = 1) {
  return {kNet, kPeer, epoch, sequence, deleted, key, deleted ? Bytes() : Bytes{uint8_t(sequence)}};
}

// One life ends, the next begins.
void restart(Tables& tables, const TableConfig& config, const NodeId& id, uint64_t epoch) {
  std::destroy_at(&tables);
  std::construct_at(&tables, config, id, epoch);
}

// A session of `asking` with `answering`, of so many questions at most; what was said.
size_t reconcile(Tables& asking, Tables& answering, const NetworkId& network, size_t budget,
                 size_t questions = SIZE_MAX) {
  merkle::Session session = asking.begin_session(network, false);
  size_t asked = 0;
  for (; asked < questions; ++asked) {
    const auto question = asking.ask(network, session, budget, kNow);
    if (!question) break;
    const merkle::Message answer = answering.answer(network, *question, budget, kNow);
    if (session.expects_answer()) {
      EXPECT_TRUE(asking.receive(network, session, answer, kNow));
    }
  }
  return asked;
}

struct Pair {
  TableConfig config;
  Tables self{config, kSelf, 5};
  Tables peer{config, kPeer, 6};

  void carry() {  // the peer's own events to self
    for (const EntryEvent& one : peer.take_own_events()) self.receive(one, kNow);
  }
};

TEST(Tables, ShowsWhatIsPresentAndJoined) {
  Pair pair;
  pair.self.join(kNet);
  pair.peer.join(kNet);
  ASSERT_TRUE(pair.peer.upsert(kNet, "web", {1}).ok());
  pair.carry();
  EXPECT_TRUE(pair.self.take_events().empty());  // parked: the member is not known
  pair.self.set_present(kPeer, true);
  const Tables::Event shown{false, kNet, "web", kPeer, {1}};
  const Tables::Event removed{true, kNet, "web", kPeer, {}};
  EXPECT_EQ(pair.self.take_events(), std::vector{shown});
  EXPECT_EQ(pair.self.peers(kNet), std::vector{kPeer});
  pair.self.set_present(kPeer, false);
  EXPECT_EQ(pair.self.take_events(), std::vector{removed});
  EXPECT_TRUE(pair.self.peers(kNet).empty());
  pair.self.set_present(kPeer, true);
  EXPECT_EQ(pair.self.take_events(), std::vector{shown});
  pair.peer.leave(kNet);
  pair.carry();
  EXPECT_EQ(pair.self.take_events(), std::vector{removed});
  pair.self.forget(kPeer);
  EXPECT_EQ(pair.self.entries(), 2U);  // its own directory: "node" and the network
}

TEST(Tables, WhatWasSaidBeforeLeavingDoesNotReturn) {
  Pair pair;
  pair.self.join(kNet);
  pair.self.set_present(kPeer, true);
  pair.peer.join(kNet);
  ASSERT_TRUE(pair.peer.upsert(kNet, "web", {1}).ok());
  const std::vector<EntryEvent> first = pair.peer.take_own_events();
  for (const EntryEvent& one : first) pair.self.receive(one, kNow);
  EXPECT_EQ(pair.self.take_events().size(), 1U);
  pair.peer.leave(kNet);
  pair.peer.join(kNet);
  for (const EntryEvent& one : pair.peer.take_own_events()) {
    if (one.network == Tables::directory()) pair.self.receive(one, kNow);  // the deletion is lost
  }
  const Tables::Event removed{true, kNet, "web", kPeer, {}};
  EXPECT_EQ(pair.self.take_events(), std::vector{removed});
  for (const EntryEvent& one : first) pair.self.receive(one, kNow);  // replayed
  EXPECT_TRUE(pair.self.take_events().empty());
}

// Own events carry the joining along; who hears of it that way learns the same as all others, and
// so does not show what was said before it.
TEST(Tables, TheJoiningThatIsCarriedAlongIsTheJoining) {
  Pair pair;
  pair.self.join(kNet);
  pair.self.set_present(kPeer, true);
  pair.peer.join(kNet);
  ASSERT_TRUE(pair.peer.upsert(kNet, "web", {1}).ok());
  pair.carry();
  EXPECT_EQ(pair.self.take_events().size(), 1U);
  restart(pair.peer, pair.config, kPeer, 7);
  pair.carry();  // "node": the new life has joined nothing yet
  EXPECT_EQ(pair.self.take_events().size(), 1U);
  pair.peer.join(kNet);
  const std::vector<EntryEvent> joining = pair.peer.take_own_events();
  ASSERT_EQ(joining.size(), 1U);
  EXPECT_EQ(pair.peer.join_event(kNet), joining.front());
  EXPECT_TRUE(pair.self.receive(*pair.peer.join_event(kNet), kNow));
  EXPECT_TRUE(pair.self.take_events().empty());
}

TEST(Tables, ARestartReplacesAll) {
  Pair pair;
  pair.self.join(kNet);
  pair.self.set_present(kPeer, true);
  pair.peer.join(kNet);
  ASSERT_TRUE(pair.peer.upsert(kNet, "old", {1}).ok());
  ASSERT_TRUE(pair.peer.upsert(kNet, "both", {1}).ok());
  pair.carry();
  EXPECT_EQ(pair.self.take_events().size(), 2U);
  restart(pair.peer, pair.config, kPeer, 7);
  pair.peer.join(kNet);
  ASSERT_TRUE(pair.peer.upsert(kNet, "both", {2}).ok());
  pair.carry();
  const std::vector<Tables::Event> events = pair.self.take_events();
  const Tables::Event gone{true, kNet, "old", kPeer, {}};
  const Tables::Event both{false, kNet, "both", kPeer, {2}};
  EXPECT_EQ(events, (std::vector{gone, both}));  // "both" does not flicker
}

TEST(Tables, ALostEpochIsFoundedAgain) {
  Pair pair;
  pair.self.join(kNet);
  ASSERT_TRUE(pair.self.upsert(kNet, "web", {1}).ok());
  const uint64_t before = pair.self.take_own_events().back().epoch;
  EntryEvent ghost = event(9, "ghost", false, before + 100);
  ghost.owner = kSelf;
  pair.self.receive(ghost, kNow);
  const std::vector<EntryEvent> said = pair.self.take_own_events();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].key, "web");
  EXPECT_GT(said[0].epoch, before + 100);
}

TEST(Tables, ParkedEntriesAreBounded) {
  Pair pair;
  pair.config.max_parked_entries = 10;
  restart(pair.self, pair.config, kSelf, 5);
  pair.self.join(kNet);
  for (uint64_t i = 1; i <= 20; ++i) pair.self.receive(event(i, "k" + std::to_string(i)), kNow);
  EXPECT_EQ(pair.self.counts().refused, 10U);
  EXPECT_EQ(pair.self.entries(), 12U);
  pair.self.set_present(kPeer, true);
  for (uint64_t i = 11; i <= 20; ++i) pair.self.receive(event(i, "k" + std::to_string(i)), kNow);
  EXPECT_EQ(pair.self.entries(), 22U);
}

TEST(Tables, WhatIsParkedEndsWithItsNetworkToo) {
  Pair pair;
  pair.self.join(kNet);
  pair.self.receive(event(1, "a"), kNow);
  pair.self.leave(kNet);
  pair.self.join(kNet);
  pair.self.set_present(kPeer, true);
  EXPECT_EQ(pair.self.entries(), 2U);
  pair.self.receive(event(1, "a"), kNow);
  EXPECT_EQ(pair.self.entries(), 3U);
  pair.self.expire_parked(kNow + seconds(3600));
  EXPECT_EQ(pair.self.entries(), 3U) << "it is not parked any more";
  EXPECT_EQ(pair.self.next_expiry(), Instant::max());
}

TEST(Tables, HolesAreNamedAfterTheirGrace) {
  Pair pair;
  pair.self.join(kNet);
  pair.self.receive(event(2, "b"), kNow);
  EXPECT_TRUE(pair.self.overdue_gaps(kNow).empty());
  const Instant due = pair.self.next_gap();
  EXPECT_EQ(due, kNow + pair.config.gap_grace);
  ASSERT_EQ(pair.self.overdue_gaps(due).size(), 1U);
  EXPECT_TRUE(pair.self.overdue_gaps(due).empty());  // not at once again
  pair.self.receive(event(1, "a"), kNow);
  EXPECT_EQ(pair.self.next_gap(), Instant::max());
}

// Two replicas that reconcile hold the same, in small bites too.
TEST(Tables, ReconcilingConverges) {
  for (const size_t bite : {1, 300, 100'000}) {
    Pair pair;
    pair.self.join(kNet);
    pair.peer.join(kNet);
    pair.self.set_present(kPeer, true);
    pair.peer.set_present(kSelf, true);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(pair.self.upsert(kNet, "s" + std::to_string(i), Bytes(20)).ok());
      ASSERT_TRUE(
          pair.peer.upsert(kNet, "p" + std::to_string(i % 10), Bytes(static_cast<size_t>(i))).ok());
    }
    for (int i = 0; i < 50; i += 3) pair.self.remove(kNet, "s" + std::to_string(i));
    pair.self.take_own_events();
    pair.peer.take_own_events();
    pair.self.take_events();
    EXPECT_EQ(reconcile(pair.self, pair.peer, Tables::directory(), bite) > 5, bite == 1);
    reconcile(pair.self, pair.peer, kNet, bite);
    for (const NetworkId& network : {kNet, Tables::directory()}) {
      EXPECT_EQ(pair.self.digest(network), pair.peer.digest(network)) << bite;
    }
    EXPECT_EQ(pair.self.entries(), pair.peer.entries());
    EXPECT_EQ(pair.self.entries(), 2U * 2 + 33 + 10);
    EXPECT_EQ(pair.self.take_news().size(), 2U + 10);
    EXPECT_EQ(pair.self.take_events().size(), 10U) << "shown as if it had been told";
    EXPECT_EQ(pair.self.next_gap(), Instant::max());
  }
}

// A session that ends anywhere must not say of what is put again that it is gone.
TEST(Tables, ACutSessionWithdrawsNothingLive) {
  for (size_t cut = 0; cut < 12; ++cut) {
    Pair pair;
    pair.self.join(kNet);
    pair.self.set_present(kPeer, true);
    pair.peer.join(kNet);
    ASSERT_TRUE(pair.peer.upsert(kNet, "k", {1}).ok());
    ASSERT_TRUE(pair.peer.upsert(kNet, "gone", {1}).ok());
    pair.carry();
    EXPECT_EQ(pair.self.take_events().size(), 2U);
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(pair.peer.upsert(kNet, "e" + std::to_string(i), Bytes(20)).ok());
      if (i == 2) pair.peer.remove(kNet, "gone");
    }
    ASSERT_TRUE(pair.peer.upsert(kNet, "k", {2}).ok());
    pair.peer.take_own_events();
    std::vector<std::string> removed;
    int sessions = 0;
    for (; pair.self.digest(kNet) != pair.peer.digest(kNet) && sessions < 20; ++sessions) {
      // The first ones are cut, at one place or another.
      reconcile(pair.self, pair.peer, kNet, 150, sessions < 3 ? cut : SIZE_MAX);
      for (const Tables::Event& seen : pair.self.take_events()) {
        if (seen.removed) removed.push_back(seen.key);
      }
    }
    EXPECT_LT(sessions, 20) << cut;
    EXPECT_EQ(removed, std::vector<std::string>{"gone"}) << cut;
  }
}

// What others say of a node itself, of unknown owners and of those removed, changes nothing that is
// held, and stands in nobody's way.
TEST(Tables, ASessionBringsNothingOfWhoIsUnknownRemovedOrOneself) {
  Pair pair;
  TableConfig config;
  const NodeId third_id(padded("third")), fourth_id(padded("fourth"));
  Tables third(config, third_id, 6), fourth(config, fourth_id, 6);
  for (Tables* tables : {&pair.self, &pair.peer, &third, &fourth}) tables->join(kNet);
  for (const NodeId& id : {kSelf, third_id, fourth_id}) pair.peer.set_present(id, true);
  pair.self.set_present(kPeer, true);
  for (Tables* tables : {&pair.peer, &third, &fourth}) {
    ASSERT_TRUE(tables->upsert(kNet, "web", {1}).ok());
    ASSERT_TRUE(tables->upsert(kNet, "gone", {1}).ok());
    tables->remove(kNet, "gone");
  }
  for (Tables* tables : {&third, &fourth}) {
    for (const EntryEvent& one : tables->take_own_events()) pair.peer.receive(one, kNow);
  }
  EntryEvent ghost = event(5, "ghost", false, 1);
  ghost.owner = kSelf;
  pair.peer.receive(ghost, kNow);
  pair.self.forget(fourth_id);
  for (int i = 0; i < 3; ++i) {
    reconcile(pair.self, pair.peer, Tables::directory(), 20'000);
    reconcile(pair.self, pair.peer, kNet, 20'000);
  }
  const Tables::Event shown{false, kNet, "web", kPeer, {1}};
  EXPECT_EQ(pair.self.take_events(), std::vector{shown});
  EXPECT_EQ(pair.self.counts().refused, 0U);
  // The third's are parked: "node", its joining and "web".
  EXPECT_EQ(pair.self.entries(), 2U + 3 + 3);
  pair.self.set_present(third_id, true);
  EXPECT_EQ(pair.self.take_events().size(), 1U);
  pair.self.forget(third_id);
  pair.self.take_events();
  // Of its own epoch and beyond what it said: it says all again.
  EXPECT_TRUE(pair.self.upsert(kNet, "mine", {1}).ok());
  const uint64_t before = pair.self.take_own_events().back().epoch;
  ghost.epoch = before;
  pair.peer.receive(ghost, kNow);
  reconcile(pair.self, pair.peer, kNet, 20'000);
  const auto said = pair.self.take_own_events();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_GT(said[0].epoch, before);
}

TEST(Tables, OneNetworkOfAHundredThousandEntries) {
  Pair pair;
  pair.self.join(kNet);
  pair.peer.join(kNet);
  for (uint64_t owner = 0; owner < 100; ++owner) {
    const NodeId id(padded("o" + std::to_string(owner) + "x"));
    pair.self.set_present(id, true);
    pair.peer.set_present(id, true);
    for (uint64_t i = 1; i <= 1000; ++i) {
      const EntryEvent one{kNet, id, 1, i, false, "key" + std::to_string(i), Bytes(60)};
      ASSERT_TRUE(pair.peer.receive(one, kNow));
    }
  }
  EXPECT_EQ(pair.peer.entries(), 100'002U);
  const size_t questions = reconcile(pair.self, pair.peer, kNet, 128U << 10);
  EXPECT_EQ(pair.self.digest(kNet), pair.peer.digest(kNet));
  EXPECT_EQ(pair.self.entries(), 100'002U);
  EXPECT_LT(questions, 400U);
  EXPECT_EQ(pair.self.counts().refused, 0U);
}

// Everybody in every network: what one costs does not depend on how many there are.
TEST(Tables, AThousandNetworksOfAHundredEntries) {
  Pair pair;
  pair.self.set_present(kPeer, true);
  const auto network = [](uint64_t i) { return NetworkId(padded("w" + std::to_string(i) + "x")); };
  for (uint64_t i = 0; i < 1000; ++i) {
    pair.self.join(network(i));
    pair.peer.join(network(i));
    for (uint64_t key = 0; key < 100; ++key) {
      ASSERT_TRUE(pair.peer.upsert(network(i), "key" + std::to_string(key), Bytes(60)).ok());
    }
    pair.carry();
  }
  EXPECT_EQ(pair.self.entries(), 1001U * 2 + 100'000);
  EXPECT_EQ(pair.self.take_events().size(), 100'000U);
  EXPECT_EQ(pair.self.shared_with(kPeer).size(), 1001U);
  EXPECT_EQ(pair.self.peer_count(network(7)), 1U);
  pair.self.leave(network(7));
  EXPECT_EQ(pair.self.take_events().size(), 100U);
  EXPECT_EQ(pair.self.shared_with(kPeer).size(), 1000U);
}

// Ten replicas of one pool take the memory of one, and a change that is everywhere that of one
// change.
TEST(Tables, EqualReplicasOfAPoolAreTheSameTrees) {
  merkle::Pool pool(true);
  TableConfig config;
  config.pool = &pool;
  const auto id = [](size_t i) { return NodeId(padded("n" + std::to_string(i) + "x")); };
  std::vector<std::unique_ptr<Tables>> nodes;
  std::vector<EntryEvent> said;
  const auto say = [&](Tables& node) {
    for (EntryEvent& one : node.take_own_events()) said.push_back(std::move(one));
  };
  for (size_t i = 0; i < 10; ++i) {
    nodes.push_back(std::make_unique<Tables>(config, id(i), 5));
    nodes[i]->join(kNet);
    for (int key = 0; key < 100; ++key) {
      ASSERT_TRUE(nodes[i]->upsert(kNet, "k" + std::to_string(key), Bytes(60)).ok());
    }
    say(*nodes[i]);
  }
  const auto hear = [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      for (size_t other = 0; other < 10; ++other) nodes[i]->set_present(id(other), true);
      for (const EntryEvent& one : said) nodes[i]->receive(one, kNow);
    }
  };
  hear(0, 1);
  const size_t alone = pool.node_bytes();
  hear(1, 10);
  for (const auto& node : nodes) {
    EXPECT_EQ(node->digest(kNet), nodes[0]->digest(kNet));
    EXPECT_EQ(node->entries(), 10U * 102);
  }
  // Who is present differs: nobody is its own peer.
  EXPECT_LT(pool.node_bytes(), alone + alone / 4);
  ASSERT_TRUE(nodes[3]->upsert(kNet, "k3", {1}).ok());
  said.clear();
  say(*nodes[3]);
  hear(0, 10);
  EXPECT_LT(pool.node_bytes(), alone + alone / 4);
  nodes.clear();
  EXPECT_EQ(pool.node_bytes(), 0U);
}

}  // namespace
}  // namespace shoal::gossip
