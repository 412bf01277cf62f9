// The simulator's own proof: its engine against an oracle, its network's rules, and every observer
// shown to notice the fault it is there for. Faults are planted between a sound core and its
// observer, or in what the world is told to have happened; the product is not touched.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "tests/sim/gossip/figures.h"
#include "tests/sim/gossip/scenario.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Calendar, GivesWhatASortGives) {
  SeededRng rng(7);
  Calendar calendar;
  std::vector<std::pair<int64_t, uint32_t>> oracle;
  int64_t now = 0;
  uint32_t next = 0;
  for (int round = 0; round < 2000; ++round) {
    for (uint64_t i = rng.below(10); i > 0; --i) {
      // Now and then the same moment, the same millisecond, and beyond the calendar's window.
      const uint64_t span =
          std::array<uint64_t, 4>{1, 1000, 50'000'000, 20'000'000'000}[rng.below(4)];
      const int64_t at = now + static_cast<int64_t>(rng.below(span));
      calendar.push(at, Kind::kAct, 0, next);
      oracle.emplace_back(at, next++);
    }
    std::sort(oracle.begin(), oracle.end());
    const int64_t until = now + static_cast<int64_t>(rng.below(30'000'000));
    Event event;
    while (calendar.pop(until, event)) {
      ASSERT_FALSE(oracle.empty());
      ASSERT_EQ((std::pair{event.at, event.slot}), oracle.front());
      oracle.erase(oracle.begin());
    }
    ASSERT_TRUE(oracle.empty() || oracle.front().first > until);
    ASSERT_EQ(calendar.size(), oracle.size());
    now = until;
  }
}

TEST(Slab, UsesPlacesAgain) {
  Slab<Bytes> slab;
  const uint32_t first = slab.add({1}, 2);
  const uint32_t second = slab.add({2}, 1);
  slab.release(first);
  EXPECT_EQ(slab[first], Bytes{1});
  slab.release(first);
  EXPECT_EQ(slab.used(), 1U);
  EXPECT_EQ(slab.add({3}, 1), first);
  EXPECT_EQ(slab[second], Bytes{2});
}

TEST(Net, LosesAndDelaysAsItsModelSays) {
  Net net(1);
  net.set_model(hard_model());
  SeededRng rng(2);
  uint64_t lost = 0;
  Duration sum{0};
  constexpr uint32_t kSide = 300;
  for (uint32_t a = 0; a < kSide; ++a) {
    for (uint32_t b = 0; b < kSide; ++b) {
      lost += net.lost(a, b, rng) ? 1 : 0;
      const Duration delay = net.delay(a, b, rng);
      ASSERT_GE(delay, hard_model().min_delay);
      ASSERT_LE(delay, hard_model().max_delay);
      sum += delay;
    }
  }
  EXPECT_NEAR(static_cast<double>(lost) / (kSide * kSide), 0.05, 0.005);
  EXPECT_NEAR(static_cast<double>(sum.count()) / (kSide * kSide) / 1e6, 27.5, 0.5);
}

TEST(Net, KnowsWhoCouldReachWhomAndWhen) {
  Net net(1);
  const Instant cut{10'000'000'000};
  const Instant healed = cut + seconds(5);
  net.set_groups({0, 0, 0, 0, 0, 1}, cut);
  EXPECT_FALSE(net.open(0, 5, cut));
  EXPECT_TRUE(net.open(0, 4, cut));
  net.heal(healed);
  EXPECT_TRUE(net.open(0, 5, healed));
  const std::vector<uint32_t> all{0, 1, 2, 3, 4, 5};
  EXPECT_TRUE(net.reachable(0, 5, cut - seconds(2), cut - seconds(1), all));
  EXPECT_FALSE(net.reachable(0, 5, cut - seconds(2), cut, all));
  EXPECT_FALSE(net.reachable(0, 5, healed - seconds(1), healed + seconds(1), all));
  EXPECT_TRUE(net.reachable(0, 5, healed, healed + seconds(6), all));

  const Instant one_way = healed + seconds(10);
  net.block(0, 5, one_way);
  EXPECT_FALSE(net.open(0, 5, one_way));
  EXPECT_TRUE(net.open(5, 0, one_way));
  // Through 1, 2, 3 and 4; through 1, 2 and 3; then only two are left.
  EXPECT_TRUE(net.reachable(0, 5, one_way, one_way + seconds(1), all));
  net.block(4, 0, one_way + seconds(2));
  EXPECT_TRUE(net.reachable(0, 5, one_way, one_way + seconds(3), all));
  net.block(5, 3, one_way + seconds(4));
  EXPECT_FALSE(net.reachable(0, 5, one_way, one_way + seconds(5), all));
}

TEST(Net, FlappingLinksCloseAndOpen) {
  Net net(1);
  const Instant begin{1'000'000'000};
  net.flap(0.5, seconds(2), begin);
  size_t flapping = 0;
  for (uint32_t b = 1; b < 1000; ++b) {
    const bool first = net.open(0, b, begin);
    const bool second = net.open(0, b, begin + seconds(1));
    EXPECT_TRUE(first || second);
    EXPECT_EQ(net.open(0, b, begin + seconds(2)), first);
    flapping += first != second ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(flapping), 500, 60);
  net.heal(begin + seconds(10));
  for (uint32_t b = 1; b < 1000; ++b) EXPECT_TRUE(net.open(0, b, begin + seconds(11)));
}

// Five production cores with all formed, and n1's consumer told what its core did not say.
class WorldTest : public ::testing::Test {
 protected:
  WorldTest() {
    world_.run_for(seconds(2));
    for (uint32_t i = 0; i < 5; ++i) world_.join(i, 0);
    world_.run_for(seconds(2));
    world_.put(0, 0, 1);
    world_.run_for(seconds(2));
    EXPECT_TRUE(world_.truth().settled()) << world_.truth().difference();
  }
  Tables::Event event(bool removed, uint64_t value) {
    ByteWriter out;
    out.u64(value);
    return {removed, network_id(0), key_id(1), node_id(0), removed ? Bytes() : out.take()};
  }
  // To n1, once.
  void say(const Tables::Event& what) {
    world_.plant([told = false, what](uint32_t node, Effects& effects) mutable {
      if (node == 1 && !std::exchange(told, true)) effects.entries.push_back(what);
    });
  }

  World world_{1, 5, lan_model()};
};

TEST_F(WorldTest, APlantedResurrectionIsSeen) {
  world_.remove(0, 0, 1);
  world_.run_for(seconds(2));
  EXPECT_TRUE(world_.truth().settled());
  say(event(false, 1));
  world_.run_for(seconds(2));
  EXPECT_EQ(world_.truth().violation().substr(0, 24), "n1 resurrected n0/k1 of ");
}

TEST_F(WorldTest, APlantedOldValueIsSeen) {
  world_.put(0, 0, 1);
  world_.run_for(seconds(2));
  say(event(false, 1));
  world_.run_for(seconds(2));
  EXPECT_EQ(world_.truth().violation().substr(0, 26), "n1 went back to an old val");
}

TEST_F(WorldTest, APlantedWithdrawalIsSeenAndTablesDiffer) {
  world_.run_for(seconds(10));
  say(event(true, 0));
  world_.run_for(seconds(2));
  EXPECT_EQ(world_.truth().violation().substr(0, 21), "n1 withdrew the live ");
  EXPECT_FALSE(world_.truth().settled());
  EXPECT_EQ(world_.truth().difference(), "n1 shows 0, not 1, of n0/k1 of net0");
}

TEST_F(WorldTest, ASwallowedChangeIsSeen) {
  world_.plant([](uint32_t node, Effects& effects) {
    if (node == 1) effects.entries.clear();
  });
  world_.put(0, 0, 1);
  world_.run_for(seconds(20));
  EXPECT_EQ(world_.truth().difference(), "n1 shows 1, not 2, of n0/k1 of net0");
}

TEST_F(WorldTest, APlantedFailureIsCounted) {
  world_.plant([told = false](uint32_t node, Effects& effects) mutable {
    if (node != 1 || std::exchange(told, true)) return;
    effects.members.push_back({node_id(2), {}, MemberState::kFailed});
  });
  world_.run_for(seconds(2));
  EXPECT_EQ(world_.truth().counts().false_failures, 1U);
  EXPECT_EQ(world_.truth().difference(), "n1 misses n2");
}

TEST_F(WorldTest, KeysRotateInAPartitionAndMeetAgain) {
  // n4 does not reach the managers, but still n3.
  const auto rotate = [&](int times) {
    for (uint32_t manager = 0; manager < World::kManagers; ++manager) {
      world_.net().block(4, manager, world_.now());
      world_.net().block(manager, 4, world_.now());
    }
    for (int i = 0; i < times; ++i) {
      world_.rotate_keys();
      world_.run_for(seconds(5));
    }
    const uint64_t unknown = world_.traffic().unknown_key;
    world_.net().heal(world_.now());
    EXPECT_TRUE(
        world_.run_until([&] { return world_.truth().settled(); }, seconds(20), milliseconds(10)))
        << world_.truth().difference();
    return unknown;
  };
  EXPECT_EQ(rotate(1), 0U);
  // Two generations behind, nobody understands it until it has asked the managers.
  EXPECT_GT(rotate(2), 0U);
}

TEST_F(WorldTest, WhoIsFrozenSaysNothingAndHearsAllAfterwards) {
  world_.starve(4, Starvation::kFrozen, seconds(1));
  world_.put(0, 0, 1);
  world_.run_for(milliseconds(900));
  EXPECT_EQ(world_.truth().difference(), "n4 shows 1, not 2, of n0/k1 of net0");
  world_.run_for(milliseconds(101));
  EXPECT_TRUE(world_.truth().settled()) << world_.truth().difference();
}

TEST_F(WorldTest, WhoWasFrozenWakesByItselfAgain) {
  // Whatever n4 does now, it does by its own clock: nothing reaches it.
  for (uint32_t i = 0; i < 4; ++i) world_.net().block(i, 4, world_.now());
  world_.starve(4, Starvation::kFrozen, seconds(3));
  world_.run_for(seconds(4));
  size_t sent = 0;
  world_.plant([&sent](uint32_t node, Effects& effects) {
    if (node == 4) sent += effects.datagrams.size();
  });
  world_.run_for(seconds(10));
  EXPECT_GE(sent, 10U);
}

// What is done to the effects of sound cores makes the chaos fail, whatever it is.
TEST(Chaos, FailsForEveryPlantedFault) {
  const auto failure_of = [](const World::Plant& plant) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      const Outcome outcome = run_chaos(seed, plant);
      if (!outcome.failure.empty()) return outcome.failure;
    }
    return std::string();
  };
  EXPECT_EQ(failure_of({}), "");
  // A removal that is lost on its way to the consumer.
  EXPECT_THAT(failure_of([](uint32_t node, Effects& effects) {
                if (node != 0) return;
                std::erase_if(effects.entries, [](const auto& event) { return event.removed; });
              }),
              testing::HasSubstr("n0 shows "));
  // Every removal is taken back.
  Bytes last;
  EXPECT_THAT(
      failure_of([&last](uint32_t node, Effects& effects) {
        if (node != 0) return;
        std::vector<Tables::Event> again;
        for (const Tables::Event& event : effects.entries) {
          if (!event.removed) last = event.value;
          if (event.removed && !last.empty() && event.owner != node_id(0)) {
            again.push_back({false, event.network, event.key, event.owner, last});
          }
        }
        effects.entries.insert(effects.entries.end(), again.begin(), again.end());
      }),
      testing::AnyOf(testing::HasSubstr("n0 resurrected "), testing::HasSubstr("n0 invented "),
                     testing::HasSubstr("n0 went back to an old value of ")));
  // What is shown is shown once more, with the value before.
  std::map<std::pair<std::string, NodeId>, Bytes> before;
  EXPECT_THAT(failure_of([&before](uint32_t node, Effects& effects) {
                if (node != 0) return;
                for (Tables::Event& event : effects.entries) {
                  if (event.removed) continue;
                  Bytes& old = before[{event.network.str() + event.key, event.owner}];
                  if (old.empty()) old = event.value;
                  event.value = old;
                }
              }),
              testing::HasSubstr("n0 "));
  // A live node is said to have failed, now and then and for a moment.
  size_t calls = 0;
  EXPECT_THAT(failure_of([&calls](uint32_t node, Effects& effects) {
                if (node != 0 || ++calls % 20 != 0) return;
                effects.members.push_back({node_id(1), {}, MemberState::kFailed});
                effects.members.push_back({node_id(1), {}, MemberState::kAlive});
              }),
              testing::HasSubstr("n0 declared n1 failed, which was not"));
}

}  // namespace
}  // namespace shoal::gossip::sim
