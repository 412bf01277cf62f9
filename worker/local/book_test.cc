#include "worker/local/book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace shoal::worker {
namespace {

using testing::HasSubstr;

Prefix prefix(const std::string& text) { return *Prefix::parse(text); }
Ip ip(const std::string& text) { return *Ip::parse(text); }

template <typename Id>
Id id(char letter, int number = 0) {
  const std::string text = std::to_string(10000 + number);
  return Id(letter + text + std::string(kIdLength - 1 - text.size(), letter));
}

manager::NetworkSpec spec(const std::string& name, const std::vector<std::string>& subnets = {}) {
  manager::NetworkSpec out;
  out.name = name;
  out.driver = "bridge";
  for (const std::string& subnet : subnets) out.subnets.emplace_back().subnet = prefix(subnet);
  return out;
}

manager::EndpointSpec named(const std::string& name, const std::vector<std::string>& ips = {}) {
  manager::EndpointSpec out;
  out.name = name;
  for (const std::string& text : ips) out.addresses.push_back(ip(text));
  return out;
}

class BookTest : public testing::Test {
 protected:
  BookTest() {
    pools_ = default_local_pools();
    pools_.push_back({prefix("fd12:3456:789a::/48"), 64});
    book_ = std::make_unique<Book>(pools_);
  }
  Result<manager::Network> create(const manager::NetworkSpec& spec,
                                  const std::vector<Prefix>& avoid = {}) {
    return book_->create(spec, id<NetworkId>('n', ++made_), WallTime{made_}, avoid);
  }
  Result<manager::Endpoint> lease(const manager::Network& network,
                                  const manager::EndpointSpec& spec) {
    return book_->lease(network.id, id<EndpointId>('e', ++made_), spec,
                        Mac({2, 0, 0, 0, 0, static_cast<uint8_t>(made_)}), WallTime{made_});
  }

  std::vector<LocalPool> pools_;
  std::unique_ptr<Book> book_;
  int made_ = 0;
};

TEST_F(BookTest, DockersPoolsHoldThirtyOneNetworks) {
  std::set<Prefix> seen;
  for (int i = 0; i < 31; ++i) {
    const auto network = create(spec("n" + std::to_string(i)));
    ASSERT_TRUE(network.ok()) << network.error().message;
    seen.insert(network->subnets.at(0).prefix);
  }
  EXPECT_EQ(seen.size(), 31U);
  EXPECT_TRUE(seen.contains(prefix("172.17.0.0/16")));
  EXPECT_TRUE(seen.contains(prefix("172.31.0.0/16")));
  EXPECT_TRUE(seen.contains(prefix("192.168.240.0/20")));
  const auto full = create(spec("one-more"));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, ErrorClass::kResourceExhausted);
  EXPECT_THAT(full.error().message, HasSubstr("--subnet"));
}

TEST_F(BookTest, DrawnSubnetsAvoidWhatTheHostUses) {
  const std::vector<Prefix> routes = {prefix("0.0.0.0/0"), prefix("172.17.0.0/16"),
                                      prefix("172.18.5.0/24")};
  EXPECT_EQ(create(spec("a"), routes)->subnets.at(0).prefix, prefix("172.19.0.0/16"));
  // Asked for by hand it may.
  EXPECT_TRUE(create(spec("b", {"172.18.5.0/25"}), routes).ok());
}

TEST_F(BookTest, BothFamiliesBySwitchAndBySize) {
  manager::NetworkSpec dual = spec("dual");
  dual.ipv6 = true;
  const auto network = create(dual);
  ASSERT_TRUE(network.ok()) << network.error().message;
  EXPECT_EQ(network->subnets.at(0).gateway, ip("172.17.0.1"));
  EXPECT_EQ(network->subnets.at(1).prefix, prefix("fd12:3456:789a::/64"));
  const auto sized = create(spec("sized", {"0.0.0.0/24", "::/80"}));
  ASSERT_TRUE(sized.ok()) << sized.error().message;
  EXPECT_EQ(sized->subnets.at(0).prefix, prefix("172.18.0.0/24"));
  EXPECT_EQ(sized->subnets.at(1).prefix.length, 80);
  EXPECT_TRUE(sized->spec.ipv6);
}

TEST_F(BookTest, WhatIsRefusedSaysWhyAndChangesNothing) {
  const manager::Network shop = *create(spec("shop", {"10.9.0.0/24"}));
  const auto refused = [&](const manager::NetworkSpec& bad, ErrorClass code,
                           const std::string& why) {
    const auto made = create(bad);
    ASSERT_FALSE(made.ok()) << bad.name;
    EXPECT_EQ(made.error().code, code) << made.error().message;
    EXPECT_THAT(made.error().message, HasSubstr(why));
    EXPECT_EQ(book_->networks().size(), 1U);
  };
  refused(spec("shop"), ErrorClass::kAlreadyExists, "shop");
  refused(spec("over", {"10.9.0.128/25"}), ErrorClass::kConflict, "\"shop\"");
  refused(spec("bridge"), ErrorClass::kInvalidArgument, "reserved");
  refused(spec("two", {"10.1.0.0/24", "10.2.0.0/24"}), ErrorClass::kInvalidArgument, "one IPv4");
  manager::NetworkSpec outside = spec("outside", {"10.1.0.0/24"});
  outside.subnets[0].gateway = ip("10.2.0.1");
  refused(outside, ErrorClass::kInvalidArgument, "10.2.0.1");
  outside.subnets[0].gateway.reset();
  outside.subnets[0].ip_range = prefix("10.2.0.0/25");
  refused(outside, ErrorClass::kInvalidArgument, "10.2.0.0/25");
  manager::NetworkSpec taken = spec("taken");
  taken.options["com.docker.network.bridge.name"] = "br-n10001nnnnnn";
  refused(taken, ErrorClass::kConflict, "br-n10001nnnnnn");
  manager::NetworkSpec other = spec("other");
  other.driver = "macvlan";
  refused(other, ErrorClass::kUnimplemented, "macvlan");
}

TEST_F(BookTest, LeasesAreOneOfEachFamilyAndComeBack) {
  manager::NetworkSpec dual = spec("dual", {"10.9.0.0/29", "fd00::/64"});
  dual.subnets[0].aux_addresses["router"] = ip("10.9.0.2");
  const manager::Network network = *create(dual);
  const auto web = lease(network, named("web"));
  ASSERT_TRUE(web.ok()) << web.error().message;
  EXPECT_EQ(web->addresses, (std::vector{prefix("10.9.0.3/29"), prefix("fd00::2/64")}));
  EXPECT_EQ(lease(network, named("WEB")).error().code, ErrorClass::kAlreadyExists);
  EXPECT_EQ(lease(network, named("x", {"10.9.0.3"})).error().code, ErrorClass::kAlreadyExists);
  EXPECT_EQ(lease(network, named("x", {"10.9.0.2"})).error().code, ErrorClass::kInvalidArgument);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(lease(network, named(name)).ok()) << name;
  EXPECT_EQ(lease(network, named("full")).error().code, ErrorClass::kResourceExhausted);
  EXPECT_THAT(book_->remove(network.id).error().message, HasSubstr("and 1 more"));
  book_->release(web->id);
  book_->release(web->id);
  EXPECT_EQ(lease(network, named("again"))->addresses.at(0), prefix("10.9.0.3/29"));
}

TEST_F(BookTest, ANetworkHasNoMoreEndpointsThanABridgeHasPorts) {
  const manager::Network network = *create(spec("wide"));
  for (int i = 0; i < 1023; ++i) {
    ASSERT_TRUE(lease(network, named("e" + std::to_string(i))).ok());
  }
  EXPECT_EQ(lease(network, named("more")).error().code, ErrorClass::kResourceExhausted);
}

TEST_F(BookTest, IsPutBackAsItWas) {
  const manager::Network shop = *create(spec("shop", {"10.9.0.0/24"}));
  const manager::Endpoint web = *lease(shop, named("web"));
  Book again(pools_);
  ASSERT_TRUE(again.restore(shop).ok());
  ASSERT_TRUE(again.restore(web).ok());
  EXPECT_EQ(*again.network(shop.id), shop);
  EXPECT_EQ(again.endpoints_of(shop.id).size(), 1U);
  EXPECT_EQ(
      again.lease(shop.id, id<EndpointId>('f'), named("b", {"10.9.0.2"}), Mac(), {}).error().code,
      ErrorClass::kAlreadyExists);
  EXPECT_EQ(again.restore(shop).error().code, ErrorClass::kDataLoss);
  EXPECT_EQ(again.restore(web).error().code, ErrorClass::kDataLoss);
  manager::Endpoint stray = web;
  stray.id = id<EndpointId>('s');
  stray.network_id = id<NetworkId>('x');
  EXPECT_EQ(again.restore(stray).error().code, ErrorClass::kDataLoss);
  manager::Network bent = shop;
  bent.id = id<NetworkId>('y');
  bent.spec.name = "bent";
  bent.subnets[0].prefix = prefix("10.10.0.0/24");
  EXPECT_EQ(again.restore(bent).error().code, ErrorClass::kDataLoss);
}

TEST_F(BookTest, NetworksAreFoundByNameIdAndPrefix) {
  const manager::Network shop = *create(spec("shop"));
  EXPECT_EQ((*book_->find_network("shop"))->id, shop.id);
  EXPECT_EQ((*book_->find_network(shop.id.view()))->id, shop.id);
  EXPECT_EQ((*book_->find_network("n1000"))->id, shop.id);
  ASSERT_TRUE(create(spec("crew")).ok());
  EXPECT_EQ(book_->find_network("n1000").error().code, ErrorClass::kInvalidArgument);
  EXPECT_EQ(book_->find_network("none-such").error().code, ErrorClass::kNotFound);
  EXPECT_EQ(book_->find_network("").error().code, ErrorClass::kNotFound);
  EXPECT_TRUE(book_->remove(shop.id).ok());
  EXPECT_EQ(book_->find_network("shop").error().code, ErrorClass::kNotFound);
}

}  // namespace
}  // namespace shoal::worker
