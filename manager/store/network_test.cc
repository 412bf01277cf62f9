#include "manager/rules/rules.h"
#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

using testing::HasSubstr;

TEST_F(StoreTest, NetworksGetSubnetsAndVnisInOrder) {
  const Outcome outcome = run(network_op("shop"));
  const auto& shop = std::get<Network>(*outcome.answer);
  EXPECT_EQ(shop.subnets[0].prefix.str(), "10.0.0.0/24");
  EXPECT_EQ(shop.vni.value, 4096U);
  EXPECT_EQ(shop.version, store_.applied_index());
  EXPECT_EQ(shop.created_at, now_);
  EXPECT_EQ(outcome.changes.size(), 1U);  // the next VNI follows from the network

  CreateNetwork six = network_op("six");
  six.spec.ipv6 = true;
  six.avoid = {prefix("10.0.1.0/24")};
  run(six);
  EXPECT_EQ(store_.network(six.id)->subnets[0].prefix.str(), "10.0.2.0/24");
  EXPECT_EQ(store_.network(six.id)->subnets[1].prefix.str(), "fd11:2233:4455::/64");
  EXPECT_EQ(store_.network(six.id)->vni.value, 4097U);
}

TEST_F(StoreTest, ARemovedNetworksSubnetIsGivenAgainItsVniIsNot) {
  run(network_op("a"));
  EXPECT_EQ(refusal(RemoveNetwork{id_of<NetworkId>("a")}), "");
  EXPECT_EQ(store_.network(id_of<NetworkId>("a")), nullptr);
  run(network_op("b"));
  EXPECT_EQ(store_.network(id_of<NetworkId>("b"))->subnets[0].prefix.str(), "10.0.0.0/24");
  EXPECT_EQ(store_.network(id_of<NetworkId>("b"))->vni.value, 4097U);
  EXPECT_EQ(refusal(RemoveNetwork{id_of<NetworkId>("a")}),
            "not_found: no such network: aqqqqqqqqqqqqqqqqqqqqqqqq");
}

TEST_F(StoreTest, CreatingIsIdempotentById) {
  const CreateNetwork op = network_op("shop");
  run(op);
  const auto before = store_.objects();
  const Outcome again = run(op);
  EXPECT_EQ(std::get<Network>(*again.answer), *store_.network(op.id));
  EXPECT_TRUE(again.changes.empty());
  EXPECT_TRUE(store_.objects() == before);
  CreateNetwork other = op;
  other.spec.internal = true;
  EXPECT_THAT(refusal(other), HasSubstr("already_exists: network id shop"));
}

TEST_F(StoreTest, NetworkRefusals) {
  run(network_op("shop"));
  CreateNetwork op = network_op("shop");
  op.id = id_of<NetworkId>("other");
  EXPECT_EQ(refusal(op), "already_exists: network \"shop\" already exists");
  op.spec.name = "host";
  EXPECT_THAT(refusal(op), HasSubstr("invalid_argument: network name \"host\" is reserved"));
  op.spec.name = "bank";
  op.spec.subnets.emplace_back().subnet = prefix("10.0.0.128/25");
  EXPECT_THAT(refusal(op), HasSubstr("conflict: subnet 10.0.0.128/25 overlaps subnet 10.0.0.0/24 "
                                     "of network \"shop\""));
  op.spec.subnets.clear();
  op.spec.options["com.docker.network.driver.overlay.vxlanid_list"] = "4096";
  EXPECT_THAT(refusal(op), HasSubstr("VXLAN id 4096 is taken by network \"shop\""));
  op.spec.options["com.docker.network.driver.overlay.vxlanid_list"] = "4097";
  EXPECT_EQ(refusal(op), "");
  EXPECT_EQ(store_.network(op.id)->vni.value, 4097U);
  run(network_op("next"));
  EXPECT_EQ(store_.network(id_of<NetworkId>("next"))->vni.value, 4098U);
  op.id = NetworkId("../../etc");
  EXPECT_THAT(refusal(op), HasSubstr("is not the id of a network"));
}

TEST_F(StoreTest, OneIngressNetwork) {
  CreateNetwork op = network_op("mesh");
  op.spec.attachable = false;
  op.spec.ingress = true;
  EXPECT_EQ(refusal(op), "");
  CreateNetwork second = op;
  second.id = id_of<NetworkId>("mesh2");
  second.spec.name = "mesh2";
  EXPECT_EQ(refusal(second),
            "conflict: network \"mesh\" is the ingress network already: remove it first");
  run(RemoveNetwork{op.id});
  EXPECT_EQ(refusal(second), "");
}

TEST_F(StoreTest, ANetworkInUseNamesItsUsers) {
  run(network_op("shop"));
  attach("shop", "h1", "web");
  attach("shop", "h2", "api");
  const RemoveNetwork op{id_of<NetworkId>("shop")};
  EXPECT_EQ(refusal(op),
            "conflict: network \"shop\" is in use by api (node h2), web (node h1): detach them "
            "first");
  for (int i = 0; i < 6; ++i) attach("shop", "h3", "job" + std::to_string(i));
  EXPECT_EQ(refusal(op),
            "conflict: network \"shop\" is in use by api (node h2), job0 (node h3), job1 (node "
            "h3), job2 (node h3), job3 (node h3) and 3 more: detach them first");
}

// As the tables have it: the records as last written, the cluster's from before the networks.
TEST_F(StoreTest, WhereTheSearchForAVniGoesOnIsFoundInTheRecords) {
  const Cluster written = *store_.cluster();
  CreateNetwork named = network_op("named");
  named.spec.options[std::string(kVniOption)] = "9000";
  for (const CreateNetwork& op : {network_op("a"), network_op("b"), named}) run(op);
  const auto reloaded = [&](const Cluster& cluster) {
    Store loaded;
    for (Object& object : store_.objects()) {
      loaded.load(std::holds_alternative<Cluster>(object) ? cluster : std::move(object));
    }
    EXPECT_TRUE(loaded.finish_load(store_.applied_index()).ok());
    return loaded.cluster()->next_vni.value;
  };
  EXPECT_EQ(reloaded(written), 4098U);
  const Outcome removal = run(RemoveNetwork{id_of<NetworkId>("b")});
  EXPECT_EQ(reloaded(std::get<Cluster>(removal.changes[0].object)), 4098U);
  const auto changes = run(RemoveNetwork{id_of<NetworkId>("a")}).changes;
  EXPECT_TRUE(std::none_of(changes.begin(), changes.end(), [](const Change& change) {
    return std::holds_alternative<Cluster>(change.object);
  }));
  run(network_op("c"));
  EXPECT_EQ(store_.network(id_of<NetworkId>("c"))->vni.value, 4098U);
}

TEST_F(StoreTest, ARemovedNetworkTakesItsQuarantineAndCursorAlong) {
  run(network_op("shop"));
  attach("shop", "h1", "web");
  detach("web");
  const Outcome outcome = run(RemoveNetwork{id_of<NetworkId>("shop")});
  ASSERT_EQ(outcome.changes.size(), 5U);
  EXPECT_TRUE(std::holds_alternative<Quarantined>(outcome.changes[0].object));
  EXPECT_TRUE(std::holds_alternative<AddressCursor>(outcome.changes[1].object));
  // It drew the last VNI, which is kept now.
  EXPECT_FALSE(outcome.changes[2].removed);
  EXPECT_TRUE(std::holds_alternative<Cluster>(outcome.changes[2].object));
  EXPECT_TRUE(std::holds_alternative<Network>(outcome.changes[3].object));
  EXPECT_TRUE(std::holds_alternative<HandledRequest>(outcome.changes[4].object));
  EXPECT_EQ(store_.objects().size(), 5U);  // the cluster and its nodes, and that it was removed
}

}  // namespace
}  // namespace shoal::manager
