#include "manager/store/refound.h"

#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

class RefoundTest : public StoreTest {
 protected:
  RefoundTest() {
    Node second = test_node("h4", Role::kManager);
    second.raft_id = 4;
    EXPECT_TRUE(run(CreateNode{second}).answer.ok());
    EXPECT_TRUE(run(network_op("shop")).answer.ok());
    web_ = attach("shop", "h4", "web");
    attach("shop", "h1", "gone");
    EXPECT_EQ(detach("gone"), "");
  }
  Refounding as(const std::string& name) {
    return {test_node(name), 77, *HostPort::parse("10.1.2.3:2377"), now_,
            store_.applied_index() + 1};
  }
  static Store loaded(const std::vector<Object>& objects, uint64_t index) {
    Store store;
    for (const Object& object : objects) store.load(object);
    const Status whole = store.finish_load(index);
    EXPECT_TRUE(whole.ok()) << whole.error().message;
    return store;
  }

  Endpoint web_;
};

TEST_F(RefoundTest, OneManagerIsLeftAndEverythingElseStays) {
  const auto before = store_.objects();
  const auto objects = refounded(before, as("h1"));
  ASSERT_TRUE(objects.ok());
  EXPECT_EQ(objects->size(), before.size());
  const Store after = loaded(*objects, store_.applied_index() + 1);
  EXPECT_EQ(after.manager_count(), 1U);
  const Node* self = after.node(id_of<NodeId>("h1"));
  EXPECT_EQ(self->raft_id, 77U);
  EXPECT_EQ(self->addresses.control->str(), "10.1.2.3:2377");
  const Node* other = after.node(id_of<NodeId>("h4"));
  EXPECT_EQ(other->spec.role, Role::kWorker);
  EXPECT_EQ(other->raft_id, 0U);
  EXPECT_EQ(*after.endpoint(web_.id), web_);
  Cluster expected = *store_.cluster();
  expected.generation = 1;
  expected.version = store_.applied_index() + 1;
  EXPECT_EQ(*after.cluster(), expected);
  // Cursors and quarantine are among what stays: nothing is given twice.
  const auto usage = [&](const Store& store) { return store.usage(web_.network_id, now_); };
  EXPECT_EQ(usage(after), usage(store_));
}

TEST_F(RefoundTest, ANodeThatTheClusterDoesNotKnowJoinsAsTheManager) {
  const auto objects = refounded(store_.objects(), as("new"));
  ASSERT_TRUE(objects.ok());
  const Store after = loaded(*objects, 100);
  EXPECT_EQ(after.manager_count(), 1U);
  EXPECT_EQ(after.node(id_of<NodeId>("new"))->raft_id, 77U);
  EXPECT_EQ(after.nodes().size(), store_.nodes().size() + 1);
}

TEST_F(RefoundTest, TheGenerationCountsUp) {
  const auto once = refounded(store_.objects(), as("h1"));
  const auto twice = refounded(*once, as("h4"));
  EXPECT_EQ(loaded(*twice, 100).cluster()->generation, 2U);
}

// The networks that drew are older than the cluster's record from now on.
TEST_F(RefoundTest, TheSearchForAVniGoesOn) {
  run(network_op("last"));
  const Vni next = store_.cluster()->next_vni;
  EXPECT_EQ(next.value, store_.network(id_of<NetworkId>("last"))->vni.value + 1);
  const auto once = refounded(store_.objects(), as("h1"));
  ASSERT_TRUE(once.ok());
  Store after = loaded(*once, store_.applied_index() + 1);
  EXPECT_EQ(after.cluster()->next_vni, next);
  // What a backup of it, taken later, is founded on.
  Command removal;
  removal.proposed_at = now_;
  removal.operation = RemoveNetwork{id_of<NetworkId>("last")};
  ASSERT_TRUE(after.apply(after.applied_index() + 1, removal).answer.ok());
  const auto twice = refounded(after.objects(), as("h4"));
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(loaded(*twice, 100).cluster()->next_vni, next);
}

TEST_F(RefoundTest, NothingToGoOnWith) {
  EXPECT_EQ(refounded({}, as("h1")).error().code, ErrorClass::kDataLoss);
}

}  // namespace
}  // namespace shoal::manager
