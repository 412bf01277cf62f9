#include <set>

#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class EndpointTest : public StoreTest {
 protected:
  EndpointTest() { run(network_op("shop")); }
};

TEST_F(EndpointTest, ALeaseIsGivenAndFound) {
  const Endpoint web = attach("shop", "h2", "web");
  EXPECT_EQ(web.addresses, std::vector{prefix("10.0.0.2/24")});
  EXPECT_EQ(web.version, store_.applied_index());
  EXPECT_EQ(web.mac.bytes()[0] & 3, 2);  // locally administered, unicast
  EXPECT_EQ(*store_.endpoint(web.id), web);
  EXPECT_EQ(store_.endpoints_of(web.network_id), std::vector{store_.endpoint(web.id)});
  EXPECT_EQ(store_.endpoints_of_node(web.node_id), std::vector{store_.endpoint(web.id)});
  EXPECT_TRUE(store_.endpoints_of_node(id_of<NodeId>("h1")).empty());
}

TEST_F(EndpointTest, TheNetworkDoesNotChange) {
  const Network before = *store_.network(id_of<NetworkId>("shop"));
  attach("shop", "h2", "web");
  EXPECT_EQ(*store_.network(before.id), before);
}

TEST_F(EndpointTest, MacsAreUniqueWhateverTheSeed) {
  std::set<Mac> macs;
  for (int i = 0; i < 50; ++i) {
    seed_ = 7;  // the same draw each time
    macs.insert(attach("shop", "h2", "web" + std::to_string(i)).mac);
  }
  EXPECT_EQ(macs.size(), 50U);
}

TEST_F(EndpointTest, TheMacIsNotMadeFromTheAddress) {
  const Endpoint first = attach("shop", "h2", "web");
  AttachEndpoint op = attach_op("shop", "h2", "again");
  op.spec.addresses = {first.addresses[0].ip};
  detach("web");
  now_ = now_ + kQuarantine;
  const Outcome outcome = run(op);
  EXPECT_EQ(std::get<Endpoint>(*outcome.answer).addresses, first.addresses);
  EXPECT_NE(std::get<Endpoint>(*outcome.answer).mac, first.mac);
}

TEST_F(EndpointTest, AttachingIsIdempotentById) {
  const Endpoint web = attach("shop", "h2", "web");
  const Outcome again = run(attach_op("shop", "h2", "web"));
  EXPECT_EQ(std::get<Endpoint>(*again.answer), web);
  EXPECT_TRUE(again.changes.empty());
  EXPECT_EQ(refusal(attach_op("shop", "h3", "web")), "already_exists: endpoint id " + web.id.str() +
                                                         " is taken by endpoint \"web\" (node h2)");
}

TEST_F(EndpointTest, Refusals) {
  attach("shop", "h2", "web");
  AttachEndpoint op = attach_op("shop", "h1", "web2");
  op.spec.name = "web";
  EXPECT_EQ(refusal(op),
            "already_exists: endpoint \"web\" already exists on network \"shop\" (node h2): take "
            "another name, or detach it first");
  op.spec.name = "WEB";  // DNS would not tell them apart
  EXPECT_EQ(refusal(op),
            "already_exists: endpoint \"web\" already exists on network \"shop\" (node h2): take "
            "another name, or detach it first");
  EXPECT_EQ(refusal(attach_op("nope", "h1", "x")),
            "not_found: no such network: nopeqqqqqqqqqqqqqqqqqqqqq");
  EXPECT_EQ(refusal(attach_op("shop", "h9", "x")),
            "not_found: no such node: h9qqqqqqqqqqqqqqqqqqqqqqq");
  CreateNetwork closed = network_op("closed");
  closed.spec.attachable = false;
  run(closed);
  EXPECT_EQ(refusal(attach_op("closed", "h1", "x")),
            "permission_denied: network \"closed\" is not attachable: create it with "
            "--attachable");
  op = attach_op("shop", "h1", "x");
  op.spec.addresses = {ip("10.0.0.2")};
  EXPECT_THAT(refusal(op), HasSubstr("is held by endpoint \"web\""));
  op.spec.addresses = {ip("10.0.0.3"), ip("10.0.0.4")};
  EXPECT_THAT(refusal(op), HasSubstr("more than one address"));
  op.spec.addresses = {};
  op.id = EndpointId("short");
  EXPECT_THAT(refusal(op), HasSubstr("is not the id of an endpoint"));
}

TEST_F(EndpointTest, TheSameNameOnAnotherNetworkIsAnother) {
  run(network_op("bank"));
  attach("shop", "h2", "web");
  AttachEndpoint op = attach_op("bank", "h2", "web2");
  op.spec.name = "web";
  EXPECT_EQ(refusal(op), "");
}

TEST_F(EndpointTest, DetachingIsIdempotentAndGuarded) {
  const Endpoint web = attach("shop", "h2", "web");
  EXPECT_EQ(refusal(DetachEndpoint{web.id, id_of<NodeId>("h3")}),
            "permission_denied: endpoint \"web\" is attached on node h2, not on node h3: detach it "
            "there");
  EXPECT_EQ(refusal(DetachEndpoint{web.id, id_of<NodeId>("h2")}), "");
  EXPECT_EQ(store_.endpoint(web.id), nullptr);
  const Outcome again = run(DetachEndpoint{web.id, id_of<NodeId>("h2")});
  EXPECT_TRUE(again.answer.ok());
  EXPECT_TRUE(again.changes.empty());
}

TEST_F(EndpointTest, AReleasedAddressRestsAndComesBackLate) {
  attach("shop", "h2", "web");
  detach("web");
  EXPECT_EQ(store_.usage(id_of<NetworkId>("shop"), now_)[0].quarantined, 1U);
  AttachEndpoint op = attach_op("shop", "h2", "web");
  op.spec.addresses = {ip("10.0.0.2")};
  EXPECT_THAT(refusal(op), HasSubstr("conflict: address 10.0.0.2 of network \"shop\" was released "
                                     "and rests for another 60 s"));
  now_ = now_ + seconds(59);
  EXPECT_THAT(refusal(op), HasSubstr("another 1 s"));
  now_ = now_ + seconds(1);
  EXPECT_EQ(refusal(op), "");
  EXPECT_EQ(attach("shop", "h2", "next").addresses[0].ip, ip("10.0.0.3"));
}

TEST_F(EndpointTest, ExpiredQuarantineIsClearedInBoundedSteps) {
  CreateNetwork wide = network_op("wide");
  wide.spec.subnets.emplace_back().subnet = prefix("172.16.0.0/16");
  run(wide);
  const size_t count = kExpiredPerApply * 2 + 5;
  for (size_t i = 0; i < count; ++i) attach("wide", "h3", "job" + std::to_string(i));
  EXPECT_EQ(refusal(RemoveNode{id_of<NodeId>("h3"), false}), "");
  const NetworkId id = id_of<NetworkId>("wide");
  EXPECT_EQ(store_.usage(id, now_)[0].quarantined, count);
  now_ = now_ + kQuarantine;
  EXPECT_EQ(store_.usage(id, now_)[0].quarantined, 0U);
  const auto one = [this] { return run(DetachEndpoint{id_of<EndpointId>("none"), {}}).changes; };
  EXPECT_EQ(one().size(), kExpiredPerApply);
  EXPECT_EQ(one().size(), kExpiredPerApply);
  const auto rest = one();
  EXPECT_EQ(rest.size(), 5U);
  for (const Change& change : rest) EXPECT_TRUE(change.removed);
  EXPECT_TRUE(one().empty());
}

TEST_F(EndpointTest, ARefusedCommandClearsNothing) {
  attach("shop", "h2", "web");
  detach("web");
  now_ = now_ + kQuarantine;
  EXPECT_NE(refusal(attach_op("nope", "h2", "x")), "");
}

TEST_F(EndpointTest, DualStack) {
  CreateNetwork six = network_op("six");
  six.spec.ipv6 = true;
  run(six);
  EXPECT_EQ(attach("six", "h1", "a").addresses,
            (std::vector{prefix("10.0.1.2/24"), prefix("fd11:2233:4455::2/64")}));
  AttachEndpoint op = attach_op("six", "h1", "b");
  op.spec.addresses = {ip("fd11:2233:4455::99")};
  EXPECT_EQ(std::get<Endpoint>(*run(op).answer).addresses,
            (std::vector{prefix("10.0.1.3/24"), prefix("fd11:2233:4455::99/64")}));
}

}  // namespace
}  // namespace shoal::manager
