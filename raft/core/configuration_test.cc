#include "raft/core/configuration.h"

#include <gtest/gtest.h>

namespace shoal::raft {
namespace {

ConfChange voter(RaftId id) { return {ConfChangeKind::kAddVoter, {id, "n:1", false}}; }
ConfChange learner(RaftId id) { return {ConfChangeKind::kAddLearner, {id, "n:1", true}}; }
ConfChange removal(RaftId id) { return {ConfChangeKind::kRemove, {.id = id}}; }

Configuration three() {
  return Configuration({{1, "a:1", false}, {2, "b:1", false}, {3, "c:1", false}});
}

TEST(Configuration, ASetGoesThroughBothHalves) {
  Configuration now = three();
  now.apply({.changes = {voter(4), removal(1), learner(2)}});
  EXPECT_TRUE(now.joint());
  EXPECT_TRUE(now.leaves_joint_itself());
  EXPECT_EQ(now.voters().incoming().voters(), (std::vector<RaftId>{3, 4}));
  EXPECT_EQ(now.voters().outgoing().voters(), (std::vector<RaftId>{1, 2, 3}));
  EXPECT_TRUE(now.is_voter(1)) << "until the outgoing half is left";
  now.apply({});
  EXPECT_FALSE(now.joint());
  EXPECT_EQ(now.voters().ids(), (std::vector<RaftId>{3, 4}));
  EXPECT_FALSE(now.contains(1));
  EXPECT_TRUE(now.members().at(2).learner);
}

TEST(Configuration, OneChangeNeedsNoJointUnlessAsked) {
  Configuration now = three();
  now.apply({.changes = {removal(3)}});
  EXPECT_FALSE(now.joint());
  now.apply({.transition = Transition::kJointExplicit, .changes = {voter(5)}});
  EXPECT_TRUE(now.joint());
  EXPECT_FALSE(now.leaves_joint_itself());
}

TEST(Configuration, SurvivesASnapshotWhileJoint) {
  Configuration now = three();
  now.apply({.transition = Transition::kJointImplicit, .changes = {learner(3), voter(4)}});
  Configuration again(now.list());
  EXPECT_EQ(again.list(), now.list());
  EXPECT_EQ(again.voters().ids(), now.voters().ids());
  EXPECT_TRUE(again.leaves_joint_itself());
  again.apply({});
  EXPECT_TRUE(again.members().at(3).learner);
}

TEST(Configuration, ASetThatDoesNotFitIsRefusedAndHasNoEffect) {
  Configuration now = three();
  EXPECT_EQ(now.check(ConfChangeSet{}).error().code, ErrorClass::kConflict) << "nothing to leave";
  EXPECT_EQ(now.check({.changes = {removal(1), removal(2), removal(3)}}).error().code,
            ErrorClass::kConflict);
  EXPECT_EQ(now.check({.changes = {removal(9), voter(4)}}).error().code, ErrorClass::kNotFound);
  now.apply({.changes = {voter(4), voter(5)}});
  const auto joint = now.list();
  const ConfChangeSet more{.changes = {voter(6)}};
  EXPECT_EQ(now.check(more).error().code, ErrorClass::kConflict);
  EXPECT_EQ(now.check(voter(6)).error().code, ErrorClass::kConflict);
  now.apply(more);
  EXPECT_EQ(now.list(), joint);
}

TEST(Configuration, SetsSurviveTheirEncoding) {
  const ConfChangeSet set{.transition = Transition::kJointExplicit,
                          .changes = {voter(4), learner(2), removal(1)}};
  auto decoded = decode_conf_changes(encode(set));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->transition, set.transition);
  EXPECT_EQ(decoded->changes.size(), 3U);
  EXPECT_EQ(decoded->changes[1].member.id, 2U);
  EXPECT_FALSE(decoded->single);
  decoded = decode_conf_changes(encode(ConfChangeSet{}));
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->leaves_joint());
  std::string text = encode(set);
  for (size_t cut = 0; cut < text.size(); ++cut) {
    EXPECT_FALSE(decode_conf_changes(std::string_view(text).substr(0, cut)));
  }
  text[1] = 9;
  EXPECT_EQ(decode_conf_changes(text).error().code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::raft
