// Partitions where nobody fails: each half hears of the other by one node that is in both. Nobody
// returns when it heals, and nobody was declared failed meanwhile by who could reach it.
#include <gtest/gtest.h>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kNodes = 25;

void bridge(World& world) {
  for (uint32_t a = 1; a < kNodes; ++a) {
    for (uint32_t b = 1; b < kNodes; ++b) {
      if (a % 2 != b % 2) world.net().block(a, b, world.now());
    }
  }
}

TEST(Partition, OfHalvesWithANodeInBothHealsAtOnceAndFailsNobody) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    World world(seed, kNodes, lan_model());
    const auto settled = [&world] { return world.truth().settled(); };
    for (uint32_t node = 0; node < kNodes; ++node) world.join(node, 0);
    ASSERT_TRUE(world.run_until(settled, seconds(20), milliseconds(10)))
        << world.truth().difference();
    world.run_for(seconds(10));
    bridge(world);
    for (uint32_t i = 0; i < 120; ++i) {
      const auto node = static_cast<uint32_t>(world.rng().below(kNodes));
      world.put(node, 0, i % 4);
      world.run_for(milliseconds(500));
    }
    world.net().heal(world.now());
    EXPECT_TRUE(world.run_until(settled, seconds(1), milliseconds(10)))
        << "seed " << seed << ": " << world.truth().difference();
    EXPECT_EQ(world.truth().counts().false_failures, 0U)
        << "seed " << seed << ": " << world.truth().first_false();
    EXPECT_EQ(world.truth().violation(), "");
  }
}

}  // namespace
}  // namespace shoal::gossip::sim
