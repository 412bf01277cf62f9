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
  message.snapshot = std::make_shared<Snapshot>(Snapshot{joint_meta(), snapshot_text("state")});
  wire::SnapshotOffer offer;
  to_wire(message, offer);
  const auto read = from_wire(offer);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->meta, joint_meta());
  EXPECT_EQ(read->size, 5U);
  EXPECT_EQ(read->digest, crypto::sha256(as_bytes("state")));
  offer.mutable_meta()->mutable_members(0)->set_joint(kJointBits + 1);
  EXPECT_EQ(from_wire(offer).error().code, ErrorClass::kInvalidArgument);
}

}  // namespace
}  // namespace shoal::raft
