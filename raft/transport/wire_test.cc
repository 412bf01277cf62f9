// A joint configuration survives the ways of a snapshot: the store's record and the wire's chunks.
#include "raft/transport/wire.h"

#include <gtest/gtest.h>

#include "raft/core/configuration.h"
#include "raft/storage/format.h"

namespace shoal::raft {
namespace {

SnapshotMeta joint_meta() {
  Configuration now({{1, "a:1", false}, {2, "b:1", false}, {3, "c:1", true}});
  now.apply({.transition = Transition::kJointImplicit,
             .changes = {{ConfChangeKind::kAddLearner, {2, "b:1", true}},
                         {ConfChangeKind::kAddVoter, {3, "c:1", false}}}});
  return {.index = 9, .term = 4, .members = now.list()};
}

TEST(JointSnapshot, IsKeptByTheStore) {
  format::State state;
  state.snapshot = joint_meta();
  const auto again = format::decode_state(format::encode(state));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->snapshot, joint_meta());
  EXPECT_TRUE(Configuration(again->snapshot.members).joint());
}

TEST(JointSnapshot, IsKeptOnTheWire) {
  Message message;
  message.type = MessageType::kSnapshot;
  message.from = 1;
  message.to = 2;
  message.term = 4;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->meta = joint_meta();
  snapshot->data = "state";
  message.snapshot = snapshot;
  wire::SnapshotChunk chunk;
  to_chunk(message, 0, chunk);
  wire::SnapshotChunk unknown = chunk;
  SnapshotAssembler assembler;
  const auto whole = assembler.add(std::move(chunk));
  ASSERT_TRUE(whole) << whole.error().message;
  ASSERT_NE(*whole, nullptr);
  EXPECT_EQ((*whole)->meta, joint_meta());

  unknown.mutable_meta()->mutable_members(0)->set_joint(kJointBits + 1);
  SnapshotAssembler strict;
  EXPECT_EQ(strict.add(std::move(unknown)).error().code, ErrorClass::kInvalidArgument);
}

}  // namespace
}  // namespace shoal::raft
