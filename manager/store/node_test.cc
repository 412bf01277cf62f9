#include <algorithm>

#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

using testing::HasSubstr;

UpdateNode with_role(const std::string& name, Role role) {
  UpdateNode op;
  op.id = id_of<NodeId>(name);
  op.spec = NodeSpec{role, Availability::kActive, {}};
  return op;
}

UpdateNode with_state(const std::string& name, NodeState state) {
  UpdateNode op;
  op.id = id_of<NodeId>(name);
  op.status = NodeStatus{state, ""};
  return op;
}

UpdateNode with_raft_id(const std::string& name, uint64_t raft_id) {
  UpdateNode op;
  op.id = id_of<NodeId>(name);
  op.raft_id = raft_id;
  return op;
}

TEST_F(StoreTest, UpdatesKeepWhatIsAbsentAndCostNothingWhenEqual) {
  EXPECT_EQ(refusal(with_state("h2", NodeState::kReady)), "");
  const Node& h2 = *store_.node(id_of<NodeId>("h2"));
  EXPECT_EQ(h2.description.hostname, "h2");
  EXPECT_EQ(h2.version, store_.applied_index());
  EXPECT_TRUE(run(with_state("h2", NodeState::kReady)).changes.empty());
  EXPECT_EQ(refusal(with_state("h9", NodeState::kReady)),
            "not_found: no such node: h9qqqqqqqqqqqqqqqqqqqqqqq");
  UpdateNode loud;
  loud.id = id_of<NodeId>("h2");
  loud.description = NodeDescription{.hostname = std::string(254, 'h')};
  EXPECT_THAT(refusal(loud), HasSubstr("too many words"));
}

TEST_F(StoreTest, NodesAreMadeOnce) {
  EXPECT_EQ(refusal(CreateNode{test_node("h2")}), "already_exists: node h2 already exists");
  Node twin = test_node("h4");
  twin.raft_id = 1;
  EXPECT_EQ(refusal(CreateNode{twin}), "conflict: raft id 1 is taken by node h1");
  twin.id = NodeId("x");
  EXPECT_THAT(refusal(CreateNode{twin}), HasSubstr("is not the id of a node"));
}

TEST_F(StoreTest, TheLastManagerStays) {
  EXPECT_EQ(refusal(with_role("h1", Role::kWorker)),
            "conflict: node h1 is the last manager: promote another node first");
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h1"), true}),
            "conflict: node h1 is the last manager: promote another node, then demote this one "
            "first");
  EXPECT_EQ(refusal(with_role("h2", Role::kManager)), "");
  EXPECT_EQ(store_.manager_count(), 2U);
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h1"), true}),
            "conflict: node h1 is a manager: demote it first");
  EXPECT_EQ(refusal(with_role("h1", Role::kWorker)), "");
  EXPECT_EQ(store_.manager_count(), 1U);
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h1"), true}),
            "conflict: node h1 is demoted and still leaving the managers: try again in a moment");
  EXPECT_EQ(refusal(with_raft_id("h1", 0)), "");
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h1"), false}), "");
  EXPECT_EQ(refusal(with_raft_id("h2", 1)), "");  // free again
}

TEST_F(StoreTest, AReadyNodeNeedsForce) {
  run(with_state("h2", NodeState::kReady));
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h2"), false}),
            "conflict: node h2 is ready: let it leave or stop it first, or remove it with "
            "--force");
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h2"), true}), "");
}

TEST_F(StoreTest, ARemovedNodeLeavesItsLeasesAndNeverReturns) {
  run(network_op("shop"));
  attach("shop", "h2", "web");
  attach("shop", "h2", "api");
  attach("shop", "h3", "db");
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h2"), false}), "");
  EXPECT_EQ(store_.endpoint_count(), 1U);
  const SubnetUsage usage = store_.usage(id_of<NetworkId>("shop"), now_)[0];
  EXPECT_EQ(usage.used, 1U);
  EXPECT_EQ(usage.quarantined, 2U);
  ASSERT_EQ(store_.cluster()->removed_nodes.size(), 1U);
  EXPECT_EQ(store_.cluster()->removed_nodes[0].id, id_of<NodeId>("h2"));
  EXPECT_THAT(refusal(CreateNode{test_node("h2")}),
              HasSubstr("was removed from the cluster: let it leave and join again"));
  EXPECT_THAT(refusal(RemoveNode{id_of<NodeId>("h2"), true}), HasSubstr("not_found"));
}

TEST_F(StoreTest, ARemovedNodeIsForgottenAWeekAfterItsCertificateExpired) {
  const Duration validity = store_.cluster()->node_certificate_validity;
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h2"), true}), "");
  EXPECT_EQ(store_.cluster()->removed_nodes[0].expires_at, now_ + validity);
  now_ = now_ + validity + kRemovedNodeGrace + -Duration(1);
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h3"), true}), "");
  EXPECT_TRUE(store_.was_removed(id_of<NodeId>("h2")));

  now_ = now_ + Duration(1);
  const Outcome outcome = run(network_op("shop"));  // any command
  EXPECT_EQ(std::get<Cluster>(outcome.changes.back().object), *store_.cluster());
  EXPECT_FALSE(store_.was_removed(id_of<NodeId>("h2")));
  EXPECT_TRUE(store_.was_removed(id_of<NodeId>("h3")));
  ASSERT_EQ(store_.cluster()->removed_nodes.size(), 1U);

  Store loaded;
  for (Object& object : store_.objects()) loaded.load(std::move(object));
  ASSERT_TRUE(loaded.finish_load(store_.applied_index()).ok());
  EXPECT_TRUE(loaded.was_removed(id_of<NodeId>("h3")));
}

TEST_F(StoreTest, AnIdRemovedByAnEarlierVersionIsKeptUntilItsExpiryIsKnown) {
  std::vector<Object> objects = store_.objects();
  for (Object& object : objects) {
    if (auto* cluster = std::get_if<Cluster>(&object)) {
      cluster->removed_nodes = {{id_of<NodeId>("old"), WallTime{}}};
    }
  }
  Store loaded;
  for (Object& object : objects) loaded.load(std::move(object));
  ASSERT_TRUE(loaded.finish_load(store_.applied_index()).ok());
  store_ = std::move(loaded);
  const Duration validity = store_.cluster()->node_certificate_validity;
  now_ = now_ + validity * 3;
  run(network_op("shop"));
  EXPECT_TRUE(store_.was_removed(id_of<NodeId>("old")));
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h2"), true}), "");
  EXPECT_EQ(store_.cluster()->removed_nodes[0].expires_at, now_ + validity);
}

TEST_F(StoreTest, ANodeTellsABoundedNumberOfRoutes) {
  Node node = test_node("h7");
  for (uint32_t i = 0; i < kMaxHostRoutes; ++i) {
    node.description.host_routes.push_back({Ip::v4(0x0a000000 + i), 32});
  }
  EXPECT_EQ(refusal(CreateNode{node}), "");
  UpdateNode update{.id = node.id};
  update.description = node.description;
  update.description->host_routes.push_back(prefix("10.9.0.0/16"));
  EXPECT_EQ(refusal(update),
            "invalid_argument: the node tells 129 routes of its host: at most 128 are possible");
}

TEST_F(StoreTest, InitOnce) {
  EXPECT_THAT(refusal(InitCluster{test_cluster(), test_node("h7", Role::kManager)}),
              HasSubstr("already_exists: the cluster is already initialised"));
  Store fresh;
  const auto refused = [&](const Operation& operation) {
    const Outcome outcome = fresh.apply(fresh.applied_index() + 1, {now_, 1, operation});
    return outcome.answer.ok() ? "" : outcome.answer.error().message;
  };
  EXPECT_THAT(refused(network_op("shop")), HasSubstr("the cluster is not initialised"));
  EXPECT_THAT(refused(InitCluster{test_cluster(), test_node("h1")}), HasSubstr("is a manager"));
  Cluster bad = test_cluster();
  bad.worker_secret = "short";
  EXPECT_THAT(refused(InitCluster{bad, test_node("h1", Role::kManager)}), HasSubstr("16 bytes"));
  bad = test_cluster();
  bad.manager_secret = bad.worker_secret;
  EXPECT_THAT(refused(InitCluster{bad, test_node("h1", Role::kManager)}), HasSubstr("differ"));
  bad = test_cluster();
  bad.gossip_keys.primary = 3;
  EXPECT_THAT(refused(InitCluster{bad, test_node("h1", Role::kManager)}), HasSubstr("gossip keys"));
  bad = test_cluster();
  bad.mask_length_v4 = 7;
  EXPECT_THAT(refused(InitCluster{bad, test_node("h1", Role::kManager)}), HasSubstr("cut in /7"));
  EXPECT_TRUE(fresh.objects().empty());
  EXPECT_EQ(refused(InitCluster{test_cluster(), test_node("h1", Role::kManager)}), "");
}

TEST_F(StoreTest, JoinTokensRotateOneByOne) {
  EXPECT_EQ(refusal(RotateJoinToken{Role::kWorker, std::string(16, 'x')}), "");
  EXPECT_EQ(store_.cluster()->worker_secret, std::string(16, 'x'));
  EXPECT_EQ(store_.cluster()->manager_secret, std::string(16, 'm'));
  EXPECT_THAT(refusal(RotateJoinToken{Role::kManager, std::string(16, 'x')}),
              HasSubstr("must differ"));
  EXPECT_THAT(refusal(RotateJoinToken{Role::kManager, "short"}), HasSubstr("16 bytes, not 5"));
}

TEST_F(StoreTest, GossipKeysGoThroughTheRing) {
  const auto ids = [this] {
    std::string text;
    for (const GossipKey& key : store_.cluster()->gossip_keys.keys) {
      text += std::to_string(key.id) + " ";
    }
    return text + "primary " + std::to_string(store_.cluster()->gossip_keys.primary);
  };
  EXPECT_EQ(ids(), "1 2 3 primary 1");
  const RotateGossipKey op{{4, std::string(32, 'z')}};
  EXPECT_EQ(refusal(op), "");
  EXPECT_EQ(ids(), "2 3 4 primary 1");
  EXPECT_TRUE(run(op).changes.empty());
  EXPECT_EQ(ids(), "2 3 4 primary 1");
  EXPECT_THAT(refusal(RotateGossipKey{{4, std::string(32, 'y')}}), HasSubstr("in the ring"));
  EXPECT_THAT(refusal(RotateGossipKey{{5, "short"}}), HasSubstr("32 bytes"));
}

TEST_F(StoreTest, AShortRingSealsWithWhatAllHave) {
  Cluster cluster = test_cluster();
  cluster.gossip_keys = {{{1, std::string(32, 'a')}}, 0};
  store_ = Store();
  run(InitCluster{cluster, test_node("h1", Role::kManager)});
  run(RotateGossipKey{{2, std::string(32, 'b')}});
  EXPECT_EQ(store_.cluster()->gossip_keys.primary, 0U);
  run(RotateGossipKey{{3, std::string(32, 'c')}});
  EXPECT_EQ(store_.cluster()->gossip_keys.primary, 1U);
}

TEST_F(StoreTest, NothingIsProposedThatAManagerCannotApply) {
  ASSERT_EQ(refusal(with_role("h2", Role::kManager)), "");
  ASSERT_EQ(refusal(with_raft_id("h2", 77)), "");
  EXPECT_TRUE(store_.check_version(1).ok()) << "who says nothing is of version 1";
  const auto knows = [&](const NodeId& id, uint32_t version) {
    UpdateNode op;
    op.id = id;
    op.description = store_.node(op.id)->description;
    op.description->state_version = version;
    return refusal(op);
  };
  const NodeId h2 = id_of<NodeId>("h2");
  std::vector<NodeId> others;
  for (const Node* node : store_.nodes()) {
    if (node->id != h2) others.push_back(node->id);
  }
  for (const NodeId& id : others) ASSERT_EQ(knows(id, 2), "");
  const Status refused = store_.check_version(2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorClass::kUnimplemented);
  EXPECT_THAT(refused.error().message, HasSubstr("manager h2 is of an older one: upgrade it"));
  ASSERT_EQ(knows(h2, 3), "");
  EXPECT_TRUE(store_.check_version(2).ok());
}

}  // namespace
}  // namespace shoal::manager
