#include "manager/raft_guard.h"

#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

class RaftGuardTest : public StoreTest {
 protected:
  RaftGuardTest() {
    guard_.rebuild(store_);
    change({.id = h2_, .spec = NodeSpec{.role = Role::kManager}, .raft_id = 2});
  }

  void change(const UpdateNode& update) { tell(run(update)); }
  void tell(const Outcome& outcome) {
    ASSERT_TRUE(outcome.answer.ok()) << outcome.answer.error().message;
    guard_.applied(outcome.changes, store_);
  }
  bool admitted(const NodeId& node, uint64_t raft_id) { return guard_.admit(node, raft_id).ok(); }
  bool identified(const NodeId& node, Role role = Role::kManager) {
    return guard_.identify({true, node, id_of<ClusterId>("c"), role}).ok();
  }
  uint64_t impostors() { return guard_.counters().at("raft_streams_impostor_total"); }
  uint64_t strangers() { return guard_.counters().at("raft_streams_not_manager_total"); }

  const NodeId h1_ = id_of<NodeId>("h1");
  const NodeId h2_ = id_of<NodeId>("h2");
  const NodeId h3_ = id_of<NodeId>("h3");
  RaftGuard guard_;
};

TEST_F(RaftGuardTest, AMemberSpeaksForItselfOnly) {
  EXPECT_TRUE(admitted(h1_, 1));
  EXPECT_TRUE(admitted(h2_, 2));
  EXPECT_EQ(impostors(), 0U);
  EXPECT_FALSE(admitted(h2_, 1));
  EXPECT_FALSE(admitted(h1_, 2));
  EXPECT_EQ(impostors(), 2U);
  const Status refused = guard_.admit(h2_, 1);
  EXPECT_EQ(refused.error().code, ErrorClass::kPermissionDenied);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("raft member 1 is node " + h1_.str()));
}

TEST_F(RaftGuardTest, AMemberUnknownHereIsHeard) { EXPECT_TRUE(admitted(h2_, 77)); }

TEST_F(RaftGuardTest, AnIdFollowsItsNode) {
  change({.id = h2_, .raft_id = 5});  // joined again
  EXPECT_TRUE(admitted(h2_, 5));
  EXPECT_FALSE(admitted(h1_, 5));
  change({.id = h2_, .raft_id = 0});
  change({.id = h1_, .raft_id = 5});
  EXPECT_TRUE(admitted(h1_, 5));
  EXPECT_FALSE(admitted(h2_, 5));
  RaftGuard restarted;
  restarted.rebuild(store_);
  EXPECT_TRUE(restarted.admit(h1_, 5).ok());
  EXPECT_FALSE(restarted.admit(h2_, 5).ok());
}

TEST_F(RaftGuardTest, WhoIsNoManagerAnyMoreIsCutOff) {
  EXPECT_TRUE(identified(h2_));
  EXPECT_FALSE(identified(h2_, Role::kWorker));
  EXPECT_FALSE(identified(h3_)) << "a worker with an old certificate";
  EXPECT_FALSE(guard_.identify({}).ok());
  EXPECT_EQ(strangers(), 3U);
  change({.id = h2_, .spec = NodeSpec{.role = Role::kWorker}, .raft_id = 0});
  EXPECT_FALSE(identified(h2_));
  EXPECT_FALSE(admitted(h2_, 2)) << "on a stream that was open before";
  EXPECT_EQ(strangers(), 5U);
  tell(run(RemoveNode{h2_, true}));
  RaftGuard restarted;
  restarted.rebuild(store_);
  EXPECT_FALSE(restarted.admit(h2_, 2).ok());
}

}  // namespace
}  // namespace shoal::manager
