// A daemon that hangs on a host whose kernel goes on: for half a minute it is starved and nobody's
// loss, for good it is declared failed, in clusters of any size.
#include <gtest/gtest.h>

#include "tests/sim/gossip/world.h"

namespace shoal::gossip::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct HungTest : testing::TestWithParam<uint32_t> {};

TEST_P(HungTest, IsDeclaredFailedInTimeAndNotBefore) {
  const uint32_t nodes = GetParam();
  World world(5, nodes, lan_model(), {true, 1, 1});
  world.run_for(seconds(10));
  const uint32_t hung = nodes - 1;
  const auto believers = [&] {
    uint32_t count = 0;
    for (uint32_t i = 0; i < hung; ++i) count += world.truth().holds_live(i, hung) ? 1 : 0;
    return count;
  };
  world.starve(hung, Starvation::kFrozen, seconds(300));
  world.run_for(seconds(31));
  EXPECT_EQ(believers(), hung);
  EXPECT_TRUE(world.run_until([&] { return believers() == 0; }, seconds(59), milliseconds(100)));
  // It was no mistake to be made good: when it runs again it is back at once.
  world.feed();
  EXPECT_TRUE(
      world.run_until([&] { return world.truth().settled(); }, seconds(10), milliseconds(100)));
}

INSTANTIATE_TEST_SUITE_P(Sizes, HungTest, testing::Values(3, 5, 25, 60, 250));

}  // namespace
}  // namespace shoal::gossip::sim
