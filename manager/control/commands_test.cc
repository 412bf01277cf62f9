#include "manager/control/commands.h"

#include "manager/control/queries.h"
#include "manager/store/store_fixture.h"

namespace shoal::manager::control {
namespace {

using testing::HasSubstr;

class ControlTest : public StoreTest {
 protected:
  Draw draw() { return {now_, rng_}; }
  Outcome accept(const Result<Command>& command) {
    EXPECT_TRUE(command.ok()) << (command.ok() ? "" : command.error().message);
    return store_.apply(store_.applied_index() + 1, *command);
  }
  static NetworkSpec spec(const std::string& name) {
    NetworkSpec spec;
    spec.name = name;
    spec.attachable = true;
    return spec;
  }
  const NodeId h1_ = id_of<NodeId>("h1");
  const NodeId h2_ = id_of<NodeId>("h2");
  SeededRng rng_{1};
};

TEST_F(ControlTest, InitFillsWhatIsEmpty) {
  store_ = Store();
  Node node = test_node("h1", Role::kManager);
  accept(init_cluster(store_, Cluster{.root_certificate = "root"}, node, draw()));
  const Cluster& cluster = *store_.cluster();
  EXPECT_TRUE(is_id(cluster.id.str()));
  EXPECT_EQ(cluster.worker_secret.size(), 16U);
  EXPECT_NE(cluster.worker_secret, cluster.manager_secret);
  EXPECT_EQ(cluster.gossip_keys.keys.size(), 3U);
  EXPECT_EQ(cluster.gossip_keys.primary, 1U);
  ASSERT_EQ(cluster.address_pools.size(), 2U);
  EXPECT_EQ(cluster.address_pools[0].str(), "10.0.0.0/8");
  EXPECT_EQ(cluster.address_pools[1].length, 48);
  EXPECT_EQ(cluster.address_pools[1].ip.bytes()[0], 0xfd);
  EXPECT_EQ(init_cluster(store_, {}, node, draw()).error().code, ErrorClass::kAlreadyExists);
}

TEST_F(ControlTest, InitKeepsWhatIsGiven) {
  store_ = Store();
  Cluster cluster = test_cluster();
  cluster.address_pools = {prefix("fd77::/48")};
  cluster.mask_length_v4 = 26;
  accept(init_cluster(store_, cluster, test_node("h1", Role::kManager), draw()));
  EXPECT_EQ(store_.cluster()->worker_secret, cluster.worker_secret);
  EXPECT_EQ(store_.cluster()->address_pools,
            (std::vector{prefix("fd77::/48"), prefix("10.0.0.0/8")}));
  accept(create_network(store_, spec("shop"), {}, draw()));
  EXPECT_EQ((*store_.find_network("shop"))->subnets[0].prefix.str(), "10.0.0.0/26");
}

TEST_F(ControlTest, ANetworkAvoidsHostRoutes) {
  Node router = test_node("h9");
  router.description.host_routes = {prefix("0.0.0.0/0"), prefix("10.0.0.0/23"),
                                    prefix("192.168.0.0/16")};
  accept(create_node(store_, router, draw()));
  const std::vector<HostRoute> routes = host_routes(store_);
  const auto command = create_network(store_, spec("shop"), routes, draw());
  EXPECT_EQ(std::get<CreateNetwork>(command->operation).avoid, std::vector{prefix("10.0.0.0/23")});
  accept(command);
  EXPECT_EQ((*store_.find_network("shop"))->subnets[0].prefix.str(), "10.0.2.0/24");

  NetworkSpec given = spec("bank");
  given.subnets.emplace_back().subnet = prefix("192.168.7.0/24");
  EXPECT_EQ(create_network(store_, given, routes, draw()).error(),
            conflict("subnet 192.168.7.0/24 overlaps the route 192.168.0.0/16 of node h9: take "
                     "another, or none to have one drawn"));
  given.subnets[0].subnet = prefix("172.16.0.0/24");
  const auto accepted = create_network(store_, given, routes, draw());
  EXPECT_TRUE(std::get<CreateNetwork>(accepted->operation).avoid.empty());
}

TEST_F(ControlTest, RefusesAtOnceWithTheWordsOfApply) {
  accept(create_network(store_, spec("shop"), {}, draw()));
  EXPECT_EQ(create_network(store_, spec("shop"), {}, draw()).error(),
            already_exists("network \"shop\" already exists"));
  EXPECT_EQ(remove_network(store_, "nope", draw()).error(), not_found("no such network: nope"));
  accept(attach_endpoint(store_, {}, "shop", h2_, {"web", {}, {}}, draw()));
  EXPECT_THAT(remove_network(store_, "shop", draw()).error().message,
              HasSubstr("is in use by web (node h2)"));
  EXPECT_EQ(attach_endpoint(store_, {}, "shop", h1_, {"web", {}, {}}, draw()).error().code,
            ErrorClass::kAlreadyExists);
}

TEST_F(ControlTest, ANamelessEndpointIsCalledByItsId) {
  accept(create_network(store_, spec("shop"), {}, draw()));
  const Outcome outcome =
      accept(attach_endpoint(store_, {}, "shop", h2_, {"", {"a", "b", "a"}, {}}, draw()));
  const auto& endpoint = std::get<Endpoint>(*outcome.answer);
  EXPECT_EQ(endpoint.spec.name, endpoint.id.str().substr(0, 12));
  EXPECT_EQ(endpoint.spec.aliases, (std::vector<std::string>{"a", "b"}));
  // A retry with the id of the first try finds the same lease.
  const Outcome retry =
      accept(attach_endpoint(store_, endpoint.id, "shop", h2_, {"", {"a", "b", "a"}, {}}, draw()));
  EXPECT_EQ(std::get<Endpoint>(*retry.answer), endpoint);
}

TEST_F(ControlTest, DetachByName) {
  accept(create_network(store_, spec("shop"), {}, draw()));
  accept(attach_endpoint(store_, {}, "shop", h2_, {"web", {}, {}}, draw()));
  EXPECT_EQ(detach_endpoint(store_, "shop", "api", h2_, draw()).error(),
            not_found("no such endpoint: api"));
  EXPECT_EQ(detach_endpoint(store_, "shop", "web", h1_, draw()).error().code,
            ErrorClass::kPermissionDenied);
  accept(detach_endpoint(store_, "", "web", {}, draw()));
  EXPECT_EQ(store_.endpoint_count(), 0U);
}

TEST_F(ControlTest, NodesChangeInParts) {
  accept(update_node(store_, "h2", h1_, {.labels = Labels{{"zone", "a"}}}, draw()));
  accept(update_node(store_, "h2", h1_, {.role = Role::kManager}, draw()));
  EXPECT_EQ(store_.node(h2_)->spec,
            (NodeSpec{Role::kManager, Availability::kActive, {{"zone", "a"}}}));
  accept(update_node(store_, "self", h1_, {.availability = Availability::kDrain}, draw()));
  EXPECT_EQ(store_.node(h1_)->spec.availability, Availability::kDrain);
  EXPECT_EQ(remove_node(store_, "h2", h1_, true, draw()).error().message,
            "node h2 is a manager: demote it first");
  accept(remove_node(store_, "h3", h1_, false, draw()));
  EXPECT_EQ(store_.nodes().size(), 2U);
  const Outcome made = accept(create_node(store_, Node{}, draw()));
  EXPECT_TRUE(is_id(std::get<Node>(*made.answer).id.str()));
}

TEST_F(ControlTest, SecretsAndKeysRotate) {
  const Cluster before = *store_.cluster();
  accept(rotate_join_token(store_, Role::kManager, "", draw()));
  EXPECT_EQ(store_.cluster()->worker_secret, before.worker_secret);
  EXPECT_NE(store_.cluster()->manager_secret, before.manager_secret);
  accept(rotate_gossip_key(store_, draw()));
  EXPECT_EQ(store_.cluster()->gossip_keys.keys.back().id, 4U);
  store_ = Store();
  EXPECT_EQ(rotate_gossip_key(store_, draw()).error().code, ErrorClass::kConflict);
}

TEST_F(ControlTest, ARotationDoneTwiceGivesOneToken) {
  const std::string id = "0123456789abcdefghijklmno";
  accept(rotate_join_token(store_, Role::kWorker, id, draw()));
  const std::string first = store_.cluster()->worker_secret;
  accept(rotate_join_token(store_, Role::kWorker, id, draw()));
  EXPECT_EQ(store_.cluster()->worker_secret, first);
  accept(rotate_join_token(store_, Role::kManager, id, draw()));
  EXPECT_NE(store_.cluster()->manager_secret, first);
  accept(rotate_join_token(store_, Role::kWorker, "1" + id.substr(1), draw()));
  EXPECT_NE(store_.cluster()->worker_secret, first);
}

TEST_F(ControlTest, Queries) {
  accept(create_network(store_, spec("shop"), {}, draw()));
  accept(attach_endpoint(store_, {}, "shop", h2_, {"web", {}, {}}, draw()));
  EXPECT_EQ(list_networks(store_).size(), 1U);
  EXPECT_EQ(list_nodes(store_).size(), 3U);
  const auto view = inspect_network(store_, "shop", now_);
  EXPECT_EQ(view->endpoints.size(), 1U);
  ASSERT_EQ(view->usage.size(), 1U);
  EXPECT_EQ(view->usage[0], (SubnetUsage{prefix("10.0.0.0/24"), 253, 1, 0, 252}));
  EXPECT_EQ(list_endpoints(store_, "")->size(), 1U);
  EXPECT_EQ(*list_endpoints(store_, "shop"), view->endpoints);
  EXPECT_EQ(list_endpoints(store_, "nope").error().code, ErrorClass::kNotFound);
  EXPECT_EQ(inspect_endpoint(store_, "shop", "web")->network, view->network);
  EXPECT_EQ(inspect_node(store_, "self", h2_)->id, h2_);
  EXPECT_EQ(inspect_node(store_, "self", NodeId()).error().code, ErrorClass::kNotFound);
}

}  // namespace
}  // namespace shoal::manager::control
