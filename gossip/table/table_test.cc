#include <gtest/gtest.h>

#include <algorithm>

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
constexpr Slot::Bounds kRoom{100, 100};

EntryEvent event(uint64_t sequence, const std::string& key, bool deleted = false,
                 uint64_t epoch = 1) {
  return {kNet, kPeer, epoch, sequence, deleted, key, deleted ? Bytes() : Bytes{uint8_t(sequence)}};
}

TEST(Slot, OldNewsChangesNothing) {
  Slot slot(1);
  EXPECT_EQ(slot.apply(event(1, "a"), kRoom), Slot::Outcome::kApplied);
  EXPECT_EQ(slot.apply(event(1, "a"), kRoom), Slot::Outcome::kOld);
  EXPECT_EQ(slot.apply(event(3, "a", true), kRoom), Slot::Outcome::kApplied);
  EXPECT_TRUE(slot.has_gap());
  // Late, and below the deletion: noted, not shown.
  EXPECT_EQ(slot.apply(event(2, "a"), kRoom), Slot::Outcome::kNoted);
  EXPECT_EQ(slot.live(), 0U);
  EXPECT_FALSE(slot.has_gap());
  EXPECT_EQ(slot.complete(), 3U);
  EXPECT_TRUE(slot.entries().empty());  // the tombstone is reaped with the hole
}

TEST(Slot, SummaryClosesHoles) {
  Slot slot(1);
  slot.apply(event(1, "a"), kRoom);
  slot.apply(event(2, "b"), kRoom);
  slot.apply(event(6, "c"), kRoom);
  // 3 deleted a, 4 put d, 5 deleted d: only 2 is left of what is up to 5.
  const Summary summary{kNet, kPeer, 1, 5, {2}};
  EXPECT_EQ(slot.apply(summary, false), std::vector<std::string>{"a"});
  EXPECT_EQ(slot.complete(), 6U);
  EXPECT_EQ(slot.live(), 2U);
  EXPECT_EQ(slot.apply(event(4, "d"), kRoom), Slot::Outcome::kOld);
}

TEST(Slot, SummaryOfWhatIsNotHereDoesNotClose) {
  Slot slot(1);
  slot.apply(Summary{kNet, kPeer, 1, 5, {2}}, false);
  EXPECT_EQ(slot.complete(), 0U);
  slot.apply(event(2, "b"), kRoom);
  slot.apply(Summary{kNet, kPeer, 1, 5, {2}}, false);
  EXPECT_EQ(slot.complete(), 5U);
}

TEST(Slot, BoundsHold) {
  Slot slot(1);
  EXPECT_EQ(slot.apply(event(1, "a"), {1, 1}), Slot::Outcome::kApplied);
  EXPECT_EQ(slot.apply(event(2, "b"), {1, 1}), Slot::Outcome::kTooMany);
  EXPECT_EQ(slot.complete(), 1U);  // refused is not known
  EXPECT_EQ(slot.apply(event(3, "a"), {1, 1}), Slot::Outcome::kApplied);
  EXPECT_EQ(slot.apply(event(5, "a"), {1, 1}), Slot::Outcome::kTooFar);
}

// A replica that hears events in any order, with losses, repeats and summaries of another replica,
// ends as the model: the newest event of each key, and never shows what was deleted before.
TEST(Slot, AnyOrderEndsAsTheModel) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SeededRng rng(seed);
    std::vector<EntryEvent> history;
    std::map<std::string, uint64_t> model;
    for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
      const std::string key(1, static_cast<char>('a' + rng.below(5)));
      const bool deleted = model.contains(key) && rng.below(2) == 0;
      history.push_back(event(sequence, key, deleted));
      deleted ? void(model.erase(key)) : void(model[key] = sequence);
    }
    // Two replicas, each with its part of the history, in its order.
    Slot replicas[2] = {Slot(1), Slot(1)};
    for (Slot& replica : replicas) {
      std::vector<EntryEvent> heard;
      for (const EntryEvent& one : history) {
        for (uint64_t copies = rng.below(3); copies > 0; --copies) heard.push_back(one);
      }
      for (size_t i = heard.size(); i > 1; --i) std::swap(heard[i - 1], heard[rng.below(i)]);
      std::map<std::string, uint64_t> newest;
      for (const EntryEvent& one : heard) {
        replica.apply(one, kRoom);
        newest[one.key] = std::max(newest[one.key], one.sequence);
        const auto entry = replica.entries().find(one.key);
        if (entry != replica.entries().end() && !entry->second.deleted) {
          ASSERT_EQ(entry->second.sequence, newest[one.key]) << "seed " << seed;
        }
      }
    }
    // The owner's summary and its live entries mend the first; the first mends the second.
    Slot owner(1);
    for (const EntryEvent& one : history) owner.apply(one, kRoom);
    const auto mend = [](const Slot& from, Slot& to) {
      Summary summary{kNet, kPeer, 1, from.complete(), {}};
      from.for_each_live([&](const std::string& key, const Slot::Entry& entry) {
        summary.live.push_back(entry.sequence);
        to.apply(event(entry.sequence, key), kRoom);
      });
      std::sort(summary.live.begin(), summary.live.end());
      to.apply(summary, false);
    };
    mend(owner, replicas[0]);
    mend(replicas[0], replicas[1]);
    for (const Slot& replica : replicas) {
      std::map<std::string, uint64_t> live;
      replica.for_each_live(
          [&](const std::string& key, const Slot::Entry& entry) { live[key] = entry.sequence; });
      ASSERT_EQ(live, model) << "seed " << seed;
      ASSERT_EQ(replica.complete(), 40U);
      ASSERT_EQ(replica.live_hash(), owner.live_hash());
      ASSERT_EQ(replica.entries().size(), model.size());
    }
  }
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
  pair.peer = Tables(pair.config, kPeer, 7);
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
  pair.peer = Tables(pair.config, kPeer, 7);
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
  pair.self = Tables(pair.config, kSelf, 5);
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

// Two replicas that exchange differences until nothing differs hold the same, in small bites too.
TEST(Tables, ComparingConverges) {
  for (const size_t bite : {300, 100'000}) {
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
    int rounds = 0;
    const auto same = [&](const NetworkId& network) {
      return pair.self.digest(network) == pair.peer.digest(network);
    };
    while ((!same(kNet) || !same(Tables::directory())) && ++rounds < 200) {
      for (const NetworkId& network : {kNet, Tables::directory()}) {
        size_t budget = bite;
        const auto apply = [](Tables& to, const Tables::Difference& difference) {
          for (const Message& message : difference.messages) {
            if (const auto* one = std::get_if<EntryEvent>(&message)) to.receive(*one, kNow);
            if (const auto* all = std::get_if<Summary>(&message)) {
              to.receive(*all, difference.cut, kNow);
            }
          }
        };
        const Tables::Difference answer = pair.peer.compare(pair.self.state(network), budget);
        apply(pair.self, answer);
        budget = bite;
        apply(pair.peer, pair.self.serve({network, true, answer.wanted}, budget));
      }
    }
    EXPECT_TRUE(same(kNet));
    EXPECT_EQ(rounds > 2, bite == 300) << rounds;
    EXPECT_EQ(pair.self.entries(), pair.peer.entries());
  }
}

// An answer that was cut must not say of what is put again beyond the cut that it is gone.
TEST(Tables, ACutAnswerWithdrawsNothingLive) {
  for (size_t bite = 150; bite < 2000; bite += 50) {
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
    size_t removed = 0;
    int rounds = 0;
    for (; pair.self.digest(kNet) != pair.peer.digest(kNet) && rounds < 20; ++rounds) {
      size_t budget = bite;
      const Tables::Difference answer = pair.peer.compare(pair.self.state(kNet), budget);
      for (const Message& message : answer.messages) {
        if (const auto* one = std::get_if<EntryEvent>(&message)) pair.self.receive(*one, kNow);
        if (const auto* all = std::get_if<Summary>(&message))
          pair.self.receive(*all, answer.cut, kNow);
      }
      for (const Tables::Event& seen : pair.self.take_events()) {
        if (!seen.removed) continue;
        EXPECT_EQ(seen.key, "gone") << bite;
        ++removed;
      }
    }
    EXPECT_LT(rounds, 20) << bite;
    EXPECT_EQ(removed, 1U) << bite;
  }
}

}  // namespace
}  // namespace shoal::gossip
