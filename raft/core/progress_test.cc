#include "raft/core/progress.h"

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

TEST(Inflights, BoundedInNumberAndBytes) {
  Inflights window(3, 100);
  window.add(1, 10);
  window.add(2, 95);
  EXPECT_TRUE(window.full()) << "bytes";
  window.free_to(1);
  EXPECT_EQ(window.count(), 1U);
  EXPECT_FALSE(window.full());
  window.free_to(2);
  for (Index i = 3; i < 6; ++i) window.add(i, 1);
  EXPECT_TRUE(window.full()) << "number";
  window.free_to(9);
  EXPECT_EQ(window.count(), 0U);
}

TEST(Progress, ProbesBackwardsNeverBelowMatch) {
  Progress progress(10, Instant{}, 4, 1000);
  EXPECT_TRUE(progress.decrease(9, 5));
  EXPECT_EQ(progress.next, 6U);
  EXPECT_FALSE(progress.decrease(9, 2)) << "answers an older probe";
  progress.match = 4;
  EXPECT_TRUE(progress.decrease(5, 1));
  EXPECT_EQ(progress.next, 5U);
}

TEST(Progress, SnapshotResumesAfterIt) {
  Progress progress(10, Instant{}, 4, 1000);
  progress.become_snapshot(Instant{100});
  EXPECT_TRUE(progress.paused());
  progress.snapshot_index = 50;
  progress.become_probe();
  EXPECT_EQ(progress.next, 51U);
}

TEST(Progress, AFullPipeStillProbesAfterAHeartbeat) {
  Progress progress(10, Instant{}, 1, 1000);
  progress.become_replicate();
  progress.sent(1, 10, 3);
  EXPECT_TRUE(progress.paused());
  EXPECT_FALSE(progress.may_send_entries());
  progress.flow_paused = false;
  progress.sent(0, 0, 3);
  EXPECT_TRUE(progress.paused()) << "one empty append, then silence again";
}

TEST(Progress, KnowsWhichCommitWasTold) {
  Progress progress(10, Instant{}, 4, 1000);
  progress.become_replicate();
  progress.update(9);
  EXPECT_TRUE(progress.lacks_commit(5));
  progress.sent(0, 0, 5);
  EXPECT_FALSE(progress.lacks_commit(5));
  EXPECT_TRUE(progress.lacks_commit(7));
  progress.sent(0, 0, 9);
  EXPECT_FALSE(progress.lacks_commit(12)) << "beyond what the follower has";
}

}  // namespace
}  // namespace shoal::raft
