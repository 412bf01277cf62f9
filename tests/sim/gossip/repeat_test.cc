// Worlds that are born formed, and that what is done again is the same again.
#include <gtest/gtest.h>

#include "tests/sim/gossip/figures.h"
#include "tests/sim/gossip/scenario.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Birth, AFormedClusterHasNothingToSay) {
  World world(1, 40, quiet_model(), {true, 2, 3});
  EXPECT_TRUE(world.truth().settled()) << world.truth().difference();
  world.run_for(seconds(20));
  EXPECT_TRUE(world.truth().settled()) << world.truth().difference();
  // Not one exchange: all digests are the same.
  EXPECT_EQ(world.traffic().streams, 0U);
  EXPECT_EQ(world.truth().counts().suspicions, 0U);
  // Pings, their answers and digests.
  EXPECT_LT(world.traffic().packets, 40U * 20 * 6);
  world.truth().follow_changes(true);
  world.put(5, 1, 1);
  world.remove(6, 0, 0);
  world.run_for(seconds(5));
  EXPECT_TRUE(world.truth().settled()) << world.truth().difference();
  EXPECT_EQ(world.truth().take_changes(world.now()).size(), 2U);
}

struct Told {
  uint64_t trace = 0;
  uint64_t events = 0;
  uint64_t bytes = 0;
  std::string difference;

  friend bool operator==(const Told&, const Told&) = default;
};

// Changes, restarts, a death and a cut.
Told life(uint64_t seed, bool shared) {
  constexpr uint32_t kNodes = 100;
  World world(seed, kNodes, lan_model(), {true, 1, 2, shared});
  for (uint32_t i = 0; i < 40; ++i) {
    const uint32_t node = (i * 37) % kNodes;
    if (i % 10 == 3) world.stop(node);
    if (i == 20) world.crash(99);
    if (i == 25) world.net().block(1, 2, world.now());
    world.put((i * 13) % kNodes, 0, i % 4);
    world.remove((i * 11) % kNodes, 0, i % 4);
    world.run_for(milliseconds(250));
    if (world.is_running(node)) continue;
    world.start(node);
    world.join(node, 0);
    world.put(node, 0, 1);
  }
  world.net().heal(world.now());
  world.run_for(seconds(10));
  EXPECT_EQ(world.truth().violation(), "");
  return {world.trace(), world.events(), world.traffic().bytes, world.truth().difference()};
}

// What nodes know in common is there once, or each has its own: nothing follows from it.
TEST(Birth, SharingChangesNothing) {
  const Told shared = life(1, true);
  EXPECT_EQ(shared.difference, "");
  EXPECT_EQ(shared, life(1, false));
  EXPECT_NE(shared, life(2, true));
}

TEST(Repeat, TheSameSeedIsTheSameRun) {
  for (const uint64_t seed : {3U, 4U, 5U}) {
    EXPECT_EQ(run_chaos(seed).trace, run_chaos(seed).trace);
    EXPECT_NE(run_chaos(seed).trace, run_chaos(seed + 100).trace);
  }
  for (const uint32_t nodes : {6U, 70U}) {
    FigureOptions options;
    options.figures = {"quiet", "churn", "death", "starved", "partition", "idle"};
    if (nodes > 6) options.figures = {"quiet"};  // born formed
    options.nodes = nodes;
    options.duration = seconds(4);
    const auto first = run_figures(options);
    const auto second = run_figures(options);
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_EQ(first->size(), options.figures.size());
    for (size_t i = 0; i < first->size(); ++i) {
      EXPECT_EQ((*first)[i].trace, (*second)[i].trace) << options.figures[i];
      EXPECT_EQ((*first)[i].failure, "") << options.figures[i];
      EXPECT_EQ((*first)[i].values, (*second)[i].values) << options.figures[i];
    }
  }
}

TEST(Repeat, AnUnknownFigureIsRefused) {
  FigureOptions options;
  options.figures = {"speed"};
  EXPECT_FALSE(run_figures(options).ok());
}

}  // namespace
}  // namespace shoal::gossip::sim
