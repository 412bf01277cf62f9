#include "gossip/merkle/reconcile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iterator>

#include "base/ports/ports.h"

namespace shoal::gossip::merkle {
namespace {

constexpr size_t kOwnerSize = 17;
constexpr size_t kBudget = 20'000;  // sixteen packets

std::string owner_name(uint64_t number) {
  std::string name = "owner" + std::to_string(number);
  name.resize(kOwnerSize, '.');
  return name;
}

Entry event(uint64_t owner, uint64_t stamp, uint64_t key, bool deleted = false) {
  std::string name = "endpoint-key-" + std::to_string(key);
  name.resize(25, '.');
  return {owner_name(owner), 1, stamp, deleted, false, name, deleted ? Bytes() : Bytes(60, 'v')};
}

struct Cost {
  size_t bytes = 0;
  size_t messages = 0;
  size_t largest = 0;
  bool complete = false;
};

Cost reconcile(OwnedMap& asking, OwnedMap& answering, size_t budget = kBudget) {
  Cost cost;
  const auto count = [&](const Message& message) {
    cost.bytes += message.wire_bytes();
    cost.largest = std::max(cost.largest, message.wire_bytes());
    ++cost.messages;
  };
  Editor mine(asking), theirs(answering);
  Session session(asking, cost.messages % 2 == 1);
  while (const std::optional<Message> question = session.next(mine, budget)) {
    count(*question);
    const Message answer = respond(theirs, *question, budget);
    if (!session.expects_answer()) break;
    count(answer);
    EXPECT_TRUE(session.receive(mine, answer));
  }
  cost.complete = session.complete();
  return cost;
}

// `owners` with so many entries each, all known in order.
OwnedMap filled(Pool& pool, uint64_t owners, uint64_t keys) {
  OwnedMap map(pool, kOwnerSize);
  for (uint64_t owner = 0; owner < owners; ++owner) {
    for (uint64_t key = 0; key < keys; ++key) map.apply(event(owner, key + 1, key));
  }
  return map;
}

struct Shape {
  uint64_t owners, keys;
};

class Bytes500 : public testing::TestWithParam<Shape> {};

// d entries differ: changed, new and deleted ones, known to the one side or the other.
TEST_P(Bytes500, PerDifferenceAndLevel) {
  const auto [owners, keys] = GetParam();
  const auto n = static_cast<double>(owners * keys);
  Pool pool;
  const OwnedMap before = filled(pool, owners, keys);
  for (const uint64_t d : {1, 10, 100, 1000}) {
    for (uint64_t seed = 0; seed < (d == 1 ? 20 : 2); ++seed) {
      SeededRng rng(seed);
      OwnedMap left = before, right = before;
      std::map<uint64_t, std::pair<bool, uint64_t>> changed;  // owner -> where, last event
      for (uint64_t i = 0; i < d; ++i) {
        const uint64_t owner = rng.below(owners);
        auto [where, is_new] = changed.try_emplace(owner, rng.below(2) == 0, keys);
        auto& [to_left, stamp] = where->second;
        const uint64_t key = rng.below(keys + 10);
        const bool deleted = key < keys && rng.below(3) == 0;
        ASSERT_EQ((to_left ? left : right).apply(event(owner, ++stamp, key, deleted)),
                  OwnedMap::Outcome::kApplied);
      }
      const Cost cost = reconcile(left, right);
      ASSERT_TRUE(cost.complete);
      ASSERT_EQ(left.map(), right.map());
      for (const auto& [owner, where] : changed) {
        ASSERT_EQ(left.head(owner_name(owner))->complete, where.second);
      }
      const double bound = 1500 + 500 * static_cast<double>(d) * std::log(n) / std::log(16);
      ASSERT_LE(static_cast<double>(cost.bytes), bound) << "d " << d << ", " << cost.messages;
      ASSERT_LE(cost.largest, kBudget * 2);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Reconcile, Bytes500,
                         testing::Values(Shape{10, 100}, Shape{1000, 1}, Shape{1, 1000},
                                         Shape{100, 100}, Shape{1000, 100}, Shape{20, 5000}),
                         [](const auto& info) {
                           return std::to_string(info.param.owners) + "Owners" +
                                  std::to_string(info.param.keys) + "Keys";
                         });

TEST(Reconcile, EqualReplicasSayOneMessageEach) {
  Pool pool;
  OwnedMap left = filled(pool, 100, 100), right = left;
  const Cost cost = reconcile(left, right);
  EXPECT_TRUE(cost.complete);
  EXPECT_EQ(cost.messages, 2);
  EXPECT_LE(cost.bytes, 300);
}

// From nothing to everything, either way, in small messages too; and the whole costs the entries.
TEST(Reconcile, AWholeTable) {
  for (const size_t budget : {size_t{1}, size_t{1200}, kBudget, size_t{256} << 10}) {
    for (const Shape shape : {Shape{1, 3000}, Shape{300, 10}, Shape{3000, 1}}) {
      for (const bool asks : {true, false}) {
        if (budget == 1 && shape.owners != 300) continue;
        Pool pool;
        OwnedMap full = filled(pool, shape.owners, shape.keys), none(pool, kOwnerSize);
        const Cost cost = asks ? reconcile(none, full, budget) : reconcile(full, none, budget);
        ASSERT_TRUE(cost.complete) << budget << " " << shape.owners << " " << asks;
        ASSERT_EQ(full.map(), none.map()) << budget << " " << shape.owners << " " << asks;
        if (budget < kBudget) continue;
        ASSERT_LE(cost.bytes, 3000 * 200) << budget << " " << shape.owners << " " << asks;
      }
    }
  }
}

// Whoever compared a part of an owner's range needs the head as it was then, though the answer had
// no room for more: of a later one it would not know that the part has all of it.
TEST(Reconcile, AnAnswerHoldsTheHeadsOfWhatItComparedInsideOwners) {
  Pool pool;
  OwnedMap map = filled(pool, 4, 40);
  Message question;
  for (uint64_t owner = 0; owner < 3; ++owner) {
    question.splits.push_back({OwnedMap::range_of(owner_name(owner)), 64, 0, {}});
  }
  Editor editor(map);
  const Message answer = respond(editor, question, 1);
  EXPECT_EQ(answer.listings.size() + answer.splits.size(), 1);
  EXPECT_GE(answer.unanswered.size(), 3);
  ASSERT_EQ(answer.heads.size(), 3);
  for (const Head& head : answer.heads) EXPECT_EQ(head, map.head(head.owner));
}

// A key put by event 3 and again by event 8, and the other side knows up to 3: whatever message is
// the last one, the key stays visible.
TEST(Reconcile, ACutSessionWithdrawsNothing) {
  for (size_t budget : {1, 300, 20'000}) {
    for (size_t cut = 0; cut < 30; ++cut) {
      Pool pool;
      OwnedMap ahead(pool, kOwnerSize), behind(pool, kOwnerSize);
      for (uint64_t stamp = 1; stamp <= 60; ++stamp) {
        const Entry entry = event(0, stamp, stamp % 5 == 3 ? 3 : stamp);
        ahead.apply(entry);
        if (stamp <= 3) behind.apply(entry);
      }
      const Entry key = event(0, 1, 3);
      Editor mine(behind), theirs(ahead);
      Session session(behind, false);
      for (size_t i = 0; i < cut; ++i) {
        const std::optional<Message> question = session.next(mine, budget);
        if (!question) break;
        const Message answer = respond(theirs, *question, budget);
        if (session.expects_answer()) session.receive(mine, answer);
        const Item* held = behind.find(key.owner, key.key);
        ASSERT_TRUE(held != nullptr && !held->marked());
      }
      if (session.complete()) {
        ASSERT_EQ(behind.map(), ahead.map());
      }
    }
  }
}

// A replica that hears events in any order, with losses and repeats, and then reconciles, ends as
// the model: the newest event of each key, and never shows what was deleted before.
TEST(Reconcile, AnyOrderEndsAsTheModel) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SeededRng rng(seed);
    Pool pool;
    std::vector<Entry> history;
    std::map<std::string, uint64_t> model;
    OwnedMap owner(pool, kOwnerSize), replicas[2] = {{pool, kOwnerSize}, {pool, kOwnerSize}};
    for (uint64_t stamp = 1; stamp <= 40; ++stamp) {
      const uint64_t key = rng.below(5);
      const std::string name = event(0, stamp, key).key;
      const bool deleted = model.contains(name) && rng.below(2) == 0;
      history.push_back(event(0, stamp, key, deleted));
      deleted ? void(model.erase(name)) : void(model[name] = stamp);
      owner.apply(history.back());
    }
    for (OwnedMap& replica : replicas) {
      std::vector<Entry> heard;
      for (const Entry& one : history) {
        for (uint64_t copies = rng.below(3); copies > 0; --copies) heard.push_back(one);
      }
      for (size_t i = heard.size(); i > 1; --i) std::swap(heard[i - 1], heard[rng.below(i)]);
      std::map<std::string, uint64_t> newest;
      for (const Entry& one : heard) {
        replica.apply(one);
        newest[one.key] = std::max(newest[one.key], one.stamp);
        const Item* item = replica.find(one.owner, one.key);
        if (item != nullptr && !item->marked()) {
          ASSERT_EQ(item->stamp, newest[one.key]) << "seed " << seed;
        }
      }
    }
    ASSERT_TRUE(reconcile(replicas[0], owner).complete);
    ASSERT_TRUE(reconcile(replicas[0], replicas[1]).complete);
    for (const OwnedMap& replica : replicas) {
      std::map<std::string, uint64_t> live;
      replica.each(owner_name(0), [&](const Item& item) {
        ASSERT_FALSE(item.marked());
        live[std::string(item.id().substr(kOwnerSize))] = item.stamp;
      });
      ASSERT_EQ(live, model) << "seed " << seed;
      ASSERT_EQ(replica.map(), owner.map());
    }
  }
}

TEST(Reconcile, ARestartedOwnerReplacesItself) {
  for (const bool asks : {true, false}) {
    Pool pool;
    OwnedMap older = filled(pool, 3, 40), newer = older;
    Entry first = event(1, 1, 7);
    first.epoch = 2;
    newer.apply(first);
    newer.raise({owner_name(2), 5, 0});  // began anew and has nothing
    ASSERT_TRUE((asks ? reconcile(older, newer) : reconcile(newer, older)).complete);
    ASSERT_EQ(older.map(), newer.map());
    ASSERT_EQ(older.map().size(), 1 + 40 + 1 + 1 + 1);
  }
}

// What one refuses it is not said to know, so it never passes for deleted.
TEST(Reconcile, AFullReplicaWithdrawsNothing) {
  for (const bool asks : {true, false}) {
    Pool pool;
    OwnedMap full = filled(pool, 5, 40);
    const Map before = full.map();
    OwnedMap small(pool, kOwnerSize, {.items = 100});
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(asks ? reconcile(small, full).complete
                        : (reconcile(full, small), full.map() == small.map()));
      ASSERT_EQ(full.map(), before);
    }
    ASSERT_LE(small.map().size(), 100);
    OwnedMap third(pool, kOwnerSize);
    reconcile(third, small);
    reconcile(third, full);
    ASSERT_EQ(third.map(), before);
    ASSERT_EQ(full.map(), before);
  }
}

TEST(Reconcile, TheMalformedIsRefused) {
  const Head head{owner_name(0), 1, 1};
  const Path path{1, 2};
  const std::vector<Message> malformed = {
      {.heads = {{"short", 1, 1}}},
      {.splits = {{Prefix::of(path, 128), 0, 0, {}}}},
      {.splits = {{Prefix::of(path, 6), 0, 0, {}}}},
      {.splits = {{Prefix::of(path, 4), 8, 0, {}}}},
      {.splits = {{Prefix{path, 4}, 0, 0, {}}}},
      {.splits = {{Prefix::of(path, 4), 0, 3, {1}}}},
      {.heads = {head}, .listings = {{Prefix{}, false, {{1, {}}}}}},
      {.heads = {head}, .listings = {{Prefix::of({~0UL, 0}, 4), false, {{0, {{path, 1, false}}}}}}},
      {.unanswered = {Prefix{path, 129}}},
      {.settled = {{{"short", 1, 1}, 0}}},
  };
  Pool pool;
  OwnedMap map = filled(pool, 2, 40);
  const Map before = map.map();
  for (const Message& message : malformed) {
    EXPECT_FALSE(well_formed(message, kOwnerSize));
    Editor editor(map);
    EXPECT_TRUE(respond(editor, message, kBudget).empty());
    Session session(map, false);
    session.next(editor, kBudget);
    EXPECT_FALSE(session.receive(editor, message));
  }
  EXPECT_EQ(map.map(), before);
}

}  // namespace
}  // namespace shoal::gossip::merkle
