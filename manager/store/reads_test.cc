#include <algorithm>

#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

using testing::HasSubstr;

std::string message(const Error& error) {
  return std::string(to_string(error.code)) + ": " + error.message;
}

TEST_F(StoreTest, NetworksByNameIdAndPrefix) {
  CreateNetwork op = network_op("shop");
  op.id = id_of<NetworkId>("abc1");
  run(op);
  CreateNetwork twin = network_op("abd");
  twin.id = id_of<NetworkId>("abc2");
  run(twin);
  CreateNetwork named_as_prefix = network_op("abc");
  named_as_prefix.id = id_of<NetworkId>("zzz");
  run(named_as_prefix);

  EXPECT_EQ((*store_.find_network("shop"))->id, op.id);
  EXPECT_EQ((*store_.find_network(op.id.str()))->id, op.id);
  EXPECT_EQ((*store_.find_network("abc1"))->id, op.id);
  EXPECT_EQ((*store_.find_network("abc"))->id, named_as_prefix.id);  // a name comes first
  EXPECT_EQ(message(store_.find_network("ab").error()),
            "conflict: network prefix ab is ambiguous: " + op.id.str() + ", " + twin.id.str());
  EXPECT_EQ(message(store_.find_network("nope").error()), "not_found: no such network: nope");
  EXPECT_EQ(message(store_.find_network("").error()), "not_found: no such network: ");
  EXPECT_THAT(message(store_.find_network(std::string(10000, 'a')).error()), HasSubstr("aaa..."));

  const auto networks = store_.networks();
  ASSERT_EQ(networks.size(), 3U);
  EXPECT_EQ(networks[0]->spec.name, "abc");
  EXPECT_EQ(networks[2]->spec.name, "shop");
}

TEST_F(StoreTest, EndpointsByNameIdAndPrefix) {
  run(network_op("shop"));
  run(network_op("bank"));
  const Endpoint web = attach("shop", "h1", "web");
  AttachEndpoint op = attach_op("bank", "h1", "xweb");
  op.spec.name = "web";
  run(op);
  attach("bank", "h2", "xother");
  const NetworkId shop = id_of<NetworkId>("shop");
  EXPECT_EQ((*store_.find_endpoint(shop, "web"))->id, web.id);
  EXPECT_EQ((*store_.find_endpoint({}, web.id.str()))->id, web.id);
  EXPECT_EQ((*store_.find_endpoint({}, "we"))->id, web.id);
  EXPECT_EQ((*store_.find_endpoint({}, "xother"))->spec.name, "xother");
  EXPECT_EQ(message(store_.find_endpoint({}, "web").error()),
            "conflict: endpoint web is ambiguous, it is on networks shop, bank: name the network");
  EXPECT_THAT(message(store_.find_endpoint({}, "x").error()),
              HasSubstr("conflict: endpoint prefix x is ambiguous: "));
  EXPECT_EQ(message(store_.find_endpoint(shop, op.id.str()).error()),
            "not_found: no such endpoint: " + op.id.str());
  EXPECT_EQ(message(store_.find_endpoint(shop, "xo").error()), "not_found: no such endpoint: xo");
  EXPECT_EQ(message(store_.find_endpoint({}, "").error()), "not_found: no such endpoint: ");
  EXPECT_EQ(store_.endpoints().size(), 3U);
}

TEST_F(StoreTest, NodesByIdHostnameAndPrefix) {
  Node twin = test_node("zz");
  twin.description.hostname = "h3";
  run(CreateNode{twin});
  Node nameless = test_node("nameless");
  nameless.description.hostname = "";
  run(CreateNode{nameless});
  EXPECT_EQ((*store_.find_node("h2"))->id, id_of<NodeId>("h2"));
  EXPECT_EQ((*store_.find_node(twin.id.str()))->id, twin.id);
  EXPECT_EQ((*store_.find_node("zz"))->id, twin.id);
  EXPECT_EQ(message(store_.find_node("h3").error()),
            "conflict: node h3 is ambiguous: " + id_of<NodeId>("h3").str() + ", " + twin.id.str() +
                " have this hostname, name one by its id");
  EXPECT_THAT(message(store_.find_node("h").error()), HasSubstr("node prefix h is ambiguous"));
  EXPECT_EQ(message(store_.find_node("").error()), "not_found: no such node: ");
  EXPECT_EQ(store_.node_name(nameless.id), "namelessqqqq");
}

TEST_F(StoreTest, ALoadedStoreIsTheSame) {
  CreateNetwork six = network_op("six");
  six.spec.ipv6 = true;
  run(six);
  for (int i = 0; i < 10; ++i) attach("six", "h1", "e" + std::to_string(i));
  for (int i = 0; i < 4; ++i) detach("e" + std::to_string(i));
  auto objects = store_.objects();
  std::reverse(objects.begin(), objects.end());
  Store loaded;
  for (Object& object : objects) loaded.load(std::move(object));
  ASSERT_TRUE(loaded.finish_load(store_.applied_index()).ok());
  EXPECT_TRUE(loaded.objects() == store_.objects());
  EXPECT_EQ(loaded.applied_index(), store_.applied_index());
  EXPECT_EQ(loaded.usage(six.id, now_), store_.usage(six.id, now_));
  const Command next{now_, 99, attach_op("six", "h2", "next")};
  const Outcome there = loaded.apply(loaded.applied_index() + 1, next);
  const Outcome here = store_.apply(store_.applied_index() + 1, next);
  EXPECT_TRUE(there.changes == here.changes);
}

TEST_F(StoreTest, DamagedObjectsAreRefusedNotTrusted) {
  run(network_op("shop"));
  const Endpoint web = attach("shop", "h1", "web");
  attach("shop", "h1", "old");
  detach("old");
  const auto objects = store_.objects();
  const auto loads = [&](std::vector<Object> extra) {
    Store loaded;
    for (const Object& object : objects) loaded.load(object);
    for (Object& object : extra) loaded.load(std::move(object));
    const Status status = loaded.finish_load(1);
    return status ? "" : message(status.error());
  };
  EXPECT_EQ(loads({}), "");
  for (const Object& object : objects) {
    if (std::holds_alternative<AddressCursor>(object)) continue;  // written twice it is the same
    EXPECT_THAT(loads({object}), HasSubstr("data_loss: the stored state is damaged"));
  }
  const auto changed = [&web](auto change) {
    Endpoint endpoint = web;
    endpoint.id = id_of<EndpointId>("copy");
    endpoint.spec.name = "copy";
    endpoint.mac = Mac::from_random(1);
    endpoint.addresses = {prefix("10.0.0.77/24")};
    change(endpoint);
    return endpoint;
  };
  EXPECT_EQ(loads({changed([](Endpoint&) {})}), "");
  EXPECT_NE(loads({changed([&](Endpoint& e) { e.mac = web.mac; })}), "");
  EXPECT_NE(loads({changed([&](Endpoint& e) { e.addresses = web.addresses; })}), "");
  EXPECT_NE(loads({changed([](Endpoint& e) { e.addresses = {prefix("10.0.0.1/24")}; })}), "");
  EXPECT_NE(loads({changed([](Endpoint& e) { e.addresses = {prefix("10.0.0.3/24")}; })}), "");
  EXPECT_NE(loads({changed([](Endpoint& e) { e.addresses.push_back(e.addresses[0]); })}), "");
  EXPECT_NE(loads({changed([](Endpoint& e) { e.addresses = {prefix("11.0.0.1/24")}; })}), "");
  EXPECT_NE(loads({changed([](Endpoint& e) { e.network_id = NetworkId("x"); })}), "");
  EXPECT_NE(loads({Quarantined{web.network_id, web.addresses[0].ip, now_}}), "");
  EXPECT_NE(loads({AddressCursor{web.network_id, prefix("11.0.0.0/24"), ip("11.0.0.2")}}), "");
  Network overlapping = *store_.network(web.network_id);
  overlapping.id = id_of<NetworkId>("copy");
  overlapping.spec.name = "copy";
  overlapping.vni = Vni{77};
  EXPECT_NE(loads({overlapping}), "");
}

}  // namespace
}  // namespace shoal::manager
