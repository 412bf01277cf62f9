#include "gossip/node/path_probe.h"

#include <gtest/gtest.h>

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;

class PathProbeTest : public testing::Test {
 protected:
  std::optional<PathProbe::Ask> tick(Duration later = Duration(0)) {
    now_ = now_ + later;
    return probe_.tick(
        now_, [this] { return peer_; }, [this](const NodeId& id) { return id == peer_; });
  }

  SeededRng rng_{1};
  Instant now_{1'000'000'000};
  NodeId peer_{std::string(kIdLength, 'a')};
  PathProbe probe_{1472, rng_, now_};
};

TEST_F(PathProbeTest, GoesUpWhenALargePingIsAnswered) {
  EXPECT_EQ(probe_.budget(), kSafeDatagram);
  const auto ask = tick();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->peer, peer_);
  EXPECT_FALSE(tick());
  probe_.acked(ask->number + 1, now_);
  EXPECT_EQ(probe_.budget(), kSafeDatagram);
  probe_.acked(ask->number, now_);
  EXPECT_EQ(probe_.budget(), 1472U);
  EXPECT_FALSE(tick(PathProbe::kInterval - milliseconds(1)));
  EXPECT_TRUE(tick(milliseconds(1)));
}

TEST_F(PathProbeTest, FallsBackWhenLargePingsAreLostAgainAndAgain) {
  probe_.acked(tick()->number, now_);
  EXPECT_TRUE(tick(PathProbe::kInterval));
  for (size_t i = 1; i < PathProbe::kTries; ++i) {
    EXPECT_TRUE(tick(PathProbe::kPatience));
    EXPECT_EQ(probe_.budget(), 1472U);
  }
  EXPECT_FALSE(tick(PathProbe::kPatience));
  EXPECT_EQ(probe_.budget(), kSafeDatagram);
  EXPECT_FALSE(tick(PathProbe::kRest - milliseconds(1)));
  probe_.acked(tick(milliseconds(1))->number, now_);
  EXPECT_EQ(probe_.budget(), 1472U);
}

TEST_F(PathProbeTest, TheDeadSayNothingAboutThePath) {
  probe_.acked(tick()->number, now_);
  const NodeId dead = tick(PathProbe::kInterval)->peer;
  EXPECT_TRUE(tick(PathProbe::kPatience));
  peer_ = NodeId(std::string(kIdLength, 'b'));
  for (size_t i = 0; i < PathProbe::kTries; ++i) {
    const auto ask = tick(PathProbe::kPatience);
    ASSERT_TRUE(ask);
    EXPECT_NE(ask->peer, dead);
  }
  EXPECT_EQ(probe_.budget(), 1472U);
  peer_ = NodeId();
  EXPECT_FALSE(tick(PathProbe::kPatience));
}

TEST_F(PathProbeTest, FallsBackAtOnceWhenTheHostSaysSo) {
  probe_.acked(tick()->number, now_);
  probe_.too_large(now_);
  EXPECT_EQ(probe_.budget(), kSafeDatagram);
  EXPECT_FALSE(tick(PathProbe::kInterval));
}

TEST_F(PathProbeTest, AsksNobodyWhenThereIsNothingToGain) {
  PathProbe small(1000, rng_, now_);
  EXPECT_EQ(small.budget(), kSafeDatagram);
  EXPECT_EQ(small.next_deadline(), Instant::max());
}

}  // namespace
}  // namespace shoal::gossip
