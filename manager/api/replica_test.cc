// Who is admitted, how a change is retried on a stale store, and how floods are bounded.
#include "manager/api/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/types/rate_limit.h"
#include "manager/control/commands.h"

namespace shoal::manager {
namespace {

using ::testing::HasSubstr;

NodeId node_id(char c) { return NodeId(std::string(kIdLength, c)); }

// A replica whose store may lag: read() brings it up to date.
class FakeReplica final : public Replica {
 public:
  const Store& store() const override { return store_; }
  const NodeId& self() const override { return self_; }
  bool is_leader() const override { return true; }
  std::optional<HostPort> leader_address() const override { return std::nullopt; }
  void propose(Command command, AnswerDone done) override {
    catch_up();
    done(store_.apply(++index_, command).answer);
  }
  void read(StatusDone done) override {
    ++reads;
    if (!under_way) catch_up();
    done(ok_status());
  }
  WallTime wall() const override { return {1'000'000'000}; }
  Rng& rng() override { return rng_; }
  NodeState state_of(const Node& node) const override { return node.status.state; }
  bool reachable(uint64_t) const override { return true; }
  std::optional<Error> quorum_lost() const override { return std::nullopt; }
  std::vector<Peer> peers() const override { return {}; }
  void describe_raft(shoal::control::GetRaftStatusResponse&) const override {}
  uint64_t leader_raft_id() const override { return 1; }

  control::Draw draw() { return {wall(), rng_}; }
  void catch_up() {
    for (const Command& command : behind) store_.apply(++index_, command);
    behind.clear();
  }

  std::vector<Command> behind;  // committed and not yet applied here
  bool under_way = false;       // `behind` is in the log and not yet committed
  int reads = 0;

 private:
  Store store_;
  NodeId self_ = node_id('m');
  uint64_t index_ = 0;
  SeededRng rng_{1};
};

class ReplicaTest : public ::testing::Test {
 protected:
  ReplicaTest() {
    Cluster cluster;
    cluster.root_certificate = "certificate";
    cluster.root_key = "key";
    Node node;
    node.id = node_id('m');
    node.spec.role = Role::kManager;
    apply(control::init_cluster(replica_.store(), cluster, node, replica_.draw()));
    node = {};
    node.id = node_id('w');
    apply(control::create_node(replica_.store(), node, replica_.draw()));
  }
  void apply(const Result<Command>& command) {
    ASSERT_TRUE(command.ok()) << command.error().message;
    replica_.behind.push_back(*command);
    replica_.catch_up();
  }
  Caller caller(char c, Role role) {
    return {true, node_id(c), replica_.store().cluster()->id, role};
  }
  ErrorClass refusal(const Caller& caller, Method method) {
    const Status status = admit(replica_.store(), caller, method);
    return status ? ErrorClass::kInternal : status.error().code;
  }
  FakeReplica replica_;
};

TEST_F(ReplicaTest, CertificatesOutliveNeitherRemovalNorDemotionNorTheirCluster) {
  EXPECT_TRUE(admit(replica_.store(), caller('m', Role::kManager), Method::kCluster).ok());
  EXPECT_TRUE(admit(replica_.store(), caller('w', Role::kWorker), Method::kDispatch).ok());
  EXPECT_EQ(refusal(caller('w', Role::kWorker), Method::kRaft), ErrorClass::kPermissionDenied);
  EXPECT_EQ(refusal(caller('w', Role::kManager), Method::kRaft), ErrorClass::kPermissionDenied)
      << "the certificate still says manager";
  EXPECT_EQ(refusal({}, Method::kDispatch), ErrorClass::kUnauthenticated);
  Caller other = caller('m', Role::kManager);
  other.cluster = ClusterId(std::string(kIdLength, 'x'));
  EXPECT_EQ(refusal(other, Method::kCluster), ErrorClass::kPermissionDenied);
  apply(Command{{1}, 1, RemoveNode{node_id('w'), true}});
  EXPECT_EQ(refusal(caller('w', Role::kWorker), Method::kDispatch), ErrorClass::kPermissionDenied);
}

TEST_F(ReplicaTest, AStaleStoreRefusesNothingForGood) {
  NetworkSpec spec;
  spec.name = "web";
  spec.attachable = true;
  replica_.behind.push_back(*control::create_network(replica_.store(), spec, {}, replica_.draw()));
  const auto attach = [this] {
    return control::attach_endpoint(replica_.store(), {}, "web", node_id('w'), {}, replica_.draw());
  };
  ASSERT_FALSE(attach().ok());
  Result<Answer> answer = Answer{};
  change(replica_, attach, [&](Result<Answer> result) { answer = std::move(result); });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_TRUE(std::holds_alternative<Endpoint>(*answer));
  EXPECT_EQ(replica_.reads, 1);
  change(replica_, attach, [&](Result<Answer> result) { answer = std::move(result); });
  EXPECT_EQ(replica_.reads, 1) << "no read when nothing is refused";
  change(
      replica_,
      [this] { return control::remove_network(replica_.store(), "none", replica_.draw()); },
      [&](Result<Answer> result) { answer = std::move(result); });
  EXPECT_EQ(answer.error().code, ErrorClass::kNotFound);
}

TEST_F(ReplicaTest, ARetryIsRefusedOnlyBehindItsFirstTry) {
  const std::string id(kIdLength, 'n');
  NetworkSpec spec;
  spec.name = "web";
  spec.driver = "overlay";
  apply(control::create_network_once(replica_.store(), {std::string(kIdLength, 'o'), 0}, spec,
                                     replica_.draw()));
  // On its way: the network of that name is removed, and the first try makes its own.
  replica_.under_way = true;
  replica_.behind.push_back(*control::remove_network(replica_.store(), "web", replica_.draw()));
  Command first{replica_.wall(), 1, CreateNetwork{NetworkId(id), spec, {}}};
  first.request = id;
  replica_.behind.push_back(first);
  const auto retry = [&] {
    return control::create_network_once(replica_.store(), {id, 1}, spec, replica_.draw());
  };
  ASSERT_FALSE(retry().ok());
  Result<Answer> answer = Answer{};
  change_again(replica_, retry, [&](Result<Answer> result) { answer = std::move(result); });
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(std::get<Network>(*answer).id, NetworkId(id));

  change_again(
      replica_,
      [this] {
        return control::remove_network_once(replica_.store(), {std::string(kIdLength, 'p'), 1},
                                            "none", replica_.draw());
      },
      [&](Result<Answer> result) { answer = std::move(result); });
  EXPECT_EQ(answer.error().code, ErrorClass::kNotFound);
}

TEST(RateLimit, ABurstAndThenTheRate) {
  RateLimit limit(10, 3);
  Instant now{1'000'000'000};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.allow(now));
  EXPECT_FALSE(limit.allow(now));
  now = now + std::chrono::milliseconds(100);
  EXPECT_TRUE(limit.allow(now));
  EXPECT_FALSE(limit.allow(now));
  now = now + std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.allow(now));
  EXPECT_FALSE(limit.allow(now)) << "never more than the burst";
}

}  // namespace
}  // namespace shoal::manager
