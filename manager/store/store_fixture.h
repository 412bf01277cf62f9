// For tests: a store with a cluster and three nodes, and short ways to change it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/ports/ports.h"
#include "manager/store/store.h"

namespace shoal::manager {

inline Prefix prefix(std::string_view text) { return *Prefix::parse(text); }
inline Ip ip(std::string_view text) { return *Ip::parse(text); }

// "web" -> "webqqqqqqqqqqqqqqqqqqqqqq".
template <typename Id>
Id id_of(std::string text) {
  text.resize(kIdLength, 'q');
  return Id(text);
}

inline Cluster test_cluster() {
  Cluster cluster;
  cluster.id = id_of<ClusterId>("c");
  cluster.root_certificate = "root";
  cluster.worker_secret = std::string(16, 'w');
  cluster.manager_secret = std::string(16, 'm');
  for (uint64_t id = 1; id <= 3; ++id) {
    cluster.gossip_keys.keys.push_back({id, std::string(32, static_cast<char>('a' + id))});
  }
  cluster.gossip_keys.primary = 1;
  cluster.address_pools = {prefix("10.0.0.0/8"), prefix("fd11:2233:4455::/48")};
  return cluster;
}

inline Node test_node(const std::string& name, Role role = Role::kWorker) {
  Node node;
  node.id = id_of<NodeId>(name);
  node.spec.role = role;
  node.description.hostname = name;
  return node;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    Node first = test_node("h1", Role::kManager);
    first.raft_id = 1;
    EXPECT_TRUE(run(InitCluster{test_cluster(), first}).answer.ok());
    EXPECT_TRUE(run(CreateNode{test_node("h2")}).answer.ok());
    EXPECT_TRUE(run(CreateNode{test_node("h3")}).answer.ok());
  }

  Outcome run(Operation operation) {
    const Command command{now_, ++seed_, std::move(operation)};
    return store_.apply(store_.applied_index() + 1, command);
  }
  // "" or the refusal; a refusal must have changed nothing.
  std::string refusal(const Operation& operation) {
    const auto before = store_.objects();
    const Status checked = store_.check({now_, seed_ + 1, operation});
    const Outcome outcome = run(operation);
    if (outcome.answer.ok()) return "";
    EXPECT_FALSE(checked.ok());
    EXPECT_EQ(checked.error(), outcome.answer.error());
    EXPECT_TRUE(outcome.changes.empty());
    EXPECT_TRUE(store_.objects() == before) << "a refused command changed something";
    return std::string(to_string(outcome.answer.error().code)) + ": " +
           outcome.answer.error().message;
  }

  static CreateNetwork network_op(const std::string& name) {
    CreateNetwork op;
    op.id = id_of<NetworkId>(name);
    op.spec.name = name;
    op.spec.attachable = true;
    return op;
  }
  static AttachEndpoint attach_op(const std::string& network, const std::string& node,
                                  const std::string& name) {
    return {
        id_of<EndpointId>(name), id_of<NetworkId>(network), id_of<NodeId>(node), {name, {}, {}}};
  }
  Endpoint attach(const std::string& network, const std::string& node, const std::string& name) {
    const Outcome outcome = run(attach_op(network, node, name));
    return std::get<Endpoint>(*outcome.answer);
  }
  std::string detach(const std::string& name) {
    return refusal(DetachEndpoint{id_of<EndpointId>(name), {}});
  }

  Store store_;
  WallTime now_{1'700'000'000'000'000'000};
  uint64_t seed_ = 0;
};

}  // namespace shoal::manager
