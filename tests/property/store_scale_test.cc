// The work of one command does not grow with the number of objects (but logarithmically): a hundred
// times the objects may cost twice, never a hundred times.
#include <gtest/gtest.h>

#include "base/ports/ports.h"
#include "manager/store/store.h"
#include "tests/property/edge_counter.h"

namespace shoal::manager {
namespace {

constexpr int kFew = 1'000;
constexpr int kMany = 100'000;
// Trees of 10^5 are 17 levels deep, of 10^3 ten.
constexpr uint64_t kGrowth = 2;
constexpr int kSamples = 200;

// Twelve digits first, so that ids sort in no order of making.
template <typename Id>
Id numbered(uint64_t number) {
  SeededRng rng(number);
  std::array<uint8_t, 16> bytes{};
  rng.fill(bytes);
  return Id::from_random(bytes);
}

class ScaleTest : public testing::Test {
 protected:
  ScaleTest() {
    Cluster cluster;
    cluster.id = numbered<ClusterId>(1);
    cluster.worker_secret = std::string(16, 'w');
    cluster.manager_secret = std::string(16, 'm');
    cluster.gossip_keys.keys = {{1, std::string(32, 'k')}};
    cluster.address_pools = {*Prefix::parse("10.0.0.0/8")};
    Node node;
    node.id = numbered<NodeId>(1);
    node.spec.role = Role::kManager;
    accept(InitCluster{cluster, node});
  }

  // Basic blocks executed by applying it.
  uint64_t accept(Operation operation) {
    const Command command{now_, ++seed_, std::move(operation)};
    const uint64_t before = executed_blocks();
    const Outcome outcome = store_.apply(store_.applied_index() + 1, command);
    const uint64_t work = executed_blocks() - before;
    EXPECT_TRUE(outcome.answer.ok()) << outcome.answer.error().message;
    return work;
  }
  uint64_t create(int number, const std::string& subnet = "") {
    CreateNetwork op;
    op.id = numbered<NetworkId>(number);
    op.spec.name = "net" + std::to_string(number);
    op.spec.attachable = true;
    if (!subnet.empty()) op.spec.subnets.emplace_back().subnet = *Prefix::parse(subnet);
    return accept(op);
  }
  uint64_t attach(int number) {
    return accept(AttachEndpoint{numbered<EndpointId>(number),
                                 numbered<NetworkId>(1),
                                 numbered<NodeId>(1),
                                 {"job" + std::to_string(number), {}, {}}});
  }
  uint64_t detach(int number) { return accept(DetachEndpoint{numbered<EndpointId>(number), {}}); }

  Store store_;
  WallTime now_{1'700'000'000'000'000'000};
  uint64_t seed_ = 0;
};

TEST_F(ScaleTest, AttachAndDetach) {
  create(1, "10.0.0.0/12");
  uint64_t few = 0;
  uint64_t many = 0;
  uint64_t detach_few = 0;
  uint64_t detach_many = 0;
  for (int i = 0; i < kMany; ++i) {
    const uint64_t work = attach(i);
    if (i >= kFew - kSamples && i < kFew) few += work;
    if (i >= kMany - kSamples) many += work;
    if (i != kFew) continue;
    for (int j = 0; j < kSamples; ++j) detach_few += detach(j);
    for (int j = 0; j < kSamples; ++j) attach(j);
  }
  // Spread, so that what was free before is in pieces.
  for (int i = 0; i < kSamples; ++i) detach_many += detach(i * (kMany / kSamples));
  EXPECT_GT(few, 0U) << "nothing was counted: is the store built with trace-pc?";
  EXPECT_GT(detach_few, 0U);
  EXPECT_LE(many, few * kGrowth);
  EXPECT_LE(detach_many, detach_few * kGrowth);
}

// The worst address space: every second address held, then all but the last one, far from the
// cursor.
TEST_F(ScaleTest, AttachToANearlyFullSubnet) {
  create(1, "10.0.0.0/17");
  const int size = (1 << 15) - 3;
  uint64_t few = 0;
  for (int i = 0; i < size; ++i) {
    const uint64_t work = attach(i);
    if (i >= kFew - kSamples && i < kFew) few += work;
  }
  for (int i = 0; i < size; i += 2) detach(i);
  now_ = now_ + kQuarantine;
  uint64_t many = 0;
  // Each also clears a bounded number of expired quarantine records, so more is allowed.
  constexpr uint64_t kCleared = kExpiredPerApply;
  for (int i = 0; i < kSamples; ++i) many += attach(size + i);
  EXPECT_LE(many, few * kGrowth * kCleared);
  for (int i = kSamples; i < size / 2; ++i) attach(size + i);
  uint64_t last = 0;
  for (int i = 0; i < kSamples; ++i) {
    detach(2 * i + 1);
    now_ = now_ + kQuarantine;
    last += attach(2 * size + i);
  }
  EXPECT_LE(last, few * kGrowth);
}

TEST_F(ScaleTest, CreateNetworks) {
  uint64_t few = 0;
  uint64_t many = 0;
  constexpr int kNetworks = 60'000;  // of the 65,536 in the pool
  for (int i = 1; i <= kNetworks; ++i) {
    const uint64_t work = create(i);
    if (i > kFew - kSamples && i <= kFew) few += work;
    if (i > kNetworks - kSamples) many += work;
  }
  EXPECT_LE(many, few * kGrowth);
}

TEST_F(ScaleTest, FindingByPrefixAndStatusUpdates) {
  create(1, "10.0.0.0/12");
  const auto cost = [this] {
    const uint64_t before = executed_blocks();
    for (int i = 0; i < kSamples; ++i) {
      const std::string id = numbered<EndpointId>(i).str();
      EXPECT_TRUE(store_.find_endpoint({}, id.substr(0, 20)).ok());
      EXPECT_TRUE(store_.find_endpoint({}, "job" + std::to_string(i)).ok());
      EXPECT_EQ(store_.usage(numbered<NetworkId>(1), now_).size(), 1U);
    }
    const uint64_t reads = executed_blocks() - before;
    UpdateNode op;
    op.id = numbered<NodeId>(1);
    op.status = NodeStatus{NodeState::kReady, std::to_string(store_.applied_index())};
    return reads + accept(op);
  };
  for (int i = 0; i < kFew; ++i) attach(i);
  const uint64_t few = cost();
  for (int i = kFew; i < kMany; ++i) attach(i);
  EXPECT_LE(cost(), few * kGrowth);
}

}  // namespace
}  // namespace shoal::manager
