// Random histories of the store against the oracle and against itself.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/ports/ports.h"
#include "manager/store/store.h"
#include "tests/property/seeds.h"
#include "tests/property/store_oracle.h"

namespace shoal::manager {
namespace {

constexpr int kSteps = 300;
constexpr WallTime kStart{1'700'000'000'000'000'000};

Prefix prefix(std::string_view text) { return *Prefix::parse(text); }

template <typename Id>
Id id_of(std::string text) {
  text.resize(kIdLength, 'q');
  return Id(text);
}

// Small pools and small subnets, so that all of them fill up, overlap and come back.
Cluster small_cluster() {
  Cluster cluster;
  cluster.id = id_of<ClusterId>("c");
  cluster.worker_secret = std::string(16, 'w');
  cluster.manager_secret = std::string(16, 'm');
  cluster.gossip_keys.keys = {{1, std::string(32, 'k')}};
  cluster.address_pools = {prefix("10.0.0.0/25"), prefix("10.0.1.0/27"), prefix("fd00::/121")};
  cluster.mask_length_v4 = 28;
  cluster.mask_length_v6 = 124;
  return cluster;
}

// Draws commands that have a fair chance to mean something.
class Generator {
 public:
  explicit Generator(uint64_t seed) : rng_(seed) {}

  Command next(const StoreOracle& state) {
    now_ = now_ + std::chrono::seconds(rng_.below(10));
    // Another leader's clock may be behind.
    const WallTime proposed = chance(10) ? now_ + -Duration(std::chrono::seconds(15)) : now_;
    if (last_ && chance(15)) return *last_;  // a retry
    last_ = Command{proposed, rng_.next() % 64, operation(state)};
    return *last_;
  }
  bool chance(uint64_t percent) { return rng_.below(100) < percent; }

 private:
  Operation operation(const StoreOracle& state) {
    const uint64_t dice = rng_.below(100);
    if (dice < 12) return create_network();
    if (dice < 18) return RemoveNetwork{network_of(state)};
    if (dice < 65) return attach(state);
    if (dice < 88) return detach(state);
    if (dice < 91) return create_node();
    if (dice < 95) return update_node();
    if (dice < 97) return RemoveNode{node_id(), chance(50)};
    if (dice < 98) return RotateJoinToken{Role::kWorker, std::string(16, letter())};
    if (dice < 99) return RotateGossipKey{{++keys_ + 1, std::string(32, 'k')}};
    return DetachEndpoint{id_of<EndpointId>("nobody"), {}};
  }
  char letter() { return static_cast<char>('a' + rng_.below(12)); }
  NodeId node_id() { return id_of<NodeId>(std::string("n") + std::to_string(rng_.below(6))); }
  NetworkId network_of(const StoreOracle& state) {
    if (state.networks().empty() || chance(5)) return id_of<NetworkId>("nowhere");
    return state.networks()[rng_.below(state.networks().size())].id;
  }

  CreateNetwork create_network() {
    CreateNetwork op;
    op.id = id_of<NetworkId>("net" + std::to_string(chance(5) ? rng_.below(100) : ++networks_));
    op.spec.name = std::string("net-") + letter();
    op.spec.attachable = !chance(10);
    op.spec.ipv6 = chance(30);
    for (uint64_t count = rng_.below(3); count > 0; --count) op.spec.subnets.push_back(subnet());
    for (size_t i = 1; i < op.spec.subnets.size(); ++i) {
      // Overlap inside one spec is the unit tests' business.
      const Prefix& one = *op.spec.subnets[0].subnet;
      if (one.overlaps(*op.spec.subnets[i].subnet)) op.spec.subnets.resize(i);
    }
    if (chance(10)) {
      op.spec.options["com.docker.network.driver.overlay.vxlanid_list"] =
          std::to_string(4096 + rng_.below(8));
    }
    if (chance(20))
      op.avoid.push_back({Ip::v4(static_cast<uint32_t>(0x0a000000 + rng_.below(128))),
                          static_cast<uint8_t>(27 + rng_.below(5))});
    return op;
  }
  SubnetSpec subnet() {
    SubnetSpec spec;
    const uint64_t dice = rng_.below(4);
    if (dice == 0) {
      spec.subnet = Prefix{Ip(), static_cast<uint8_t>(26 + rng_.below(5))};
    } else if (dice == 1) {
      spec.subnet = Prefix{Ip::v6({}), static_cast<uint8_t>(122 + rng_.below(5))};
    } else {
      const Ip ip = Ip::v4(static_cast<uint32_t>(0x0a000000 + rng_.below(512)));
      spec.subnet = Prefix{ip, static_cast<uint8_t>(27 + rng_.below(5))}.network();
      if (spec.subnet->length <= 29 && chance(40)) {
        spec.ip_range = Prefix{spec.subnet->ip.plus(rng_.below(8)), 30}.network();
        spec.gateway = spec.subnet->ip.plus(1 + rng_.below(5));
      }
    }
    return spec;
  }

  AttachEndpoint attach(const StoreOracle& state) {
    AttachEndpoint op;
    op.id = id_of<EndpointId>("e" + std::to_string(++endpoints_));
    op.network_id = network_of(state);
    op.node_id = node_id();
    op.spec.name = (rng_.below(4) == 0 ? "Job" : "job") + std::to_string(rng_.below(60));
    const Network* network = nullptr;
    for (const Network& candidate : state.networks()) {
      if (candidate.id == op.network_id) network = &candidate;
    }
    if (network != nullptr && chance(30)) {
      const Subnet& subnet = network->subnets[rng_.below(network->subnets.size())];
      op.spec.addresses.push_back(subnet.prefix.first().plus(rng_.below(20)));
    }
    return op;
  }
  DetachEndpoint detach(const StoreOracle& state) {
    if (state.endpoints().empty()) return {id_of<EndpointId>("nobody"), {}};
    const Endpoint& endpoint = state.endpoints()[rng_.below(state.endpoints().size())];
    if (chance(30)) return {endpoint.id, node_id()};
    return {endpoint.id, {}};
  }
  CreateNode create_node() {
    Node node;
    node.id = node_id();
    node.spec.role = chance(30) ? Role::kManager : Role::kWorker;
    return {node};
  }
  UpdateNode update_node() {
    UpdateNode op;
    op.id = node_id();
    if (chance(50)) op.spec = NodeSpec{chance(30) ? Role::kManager : Role::kWorker, {}, {}};
    if (chance(50)) op.status = NodeStatus{chance(50) ? NodeState::kReady : NodeState::kDown, ""};
    return op;
  }

  SeededRng rng_;
  WallTime now_ = kStart;
  std::optional<Command> last_;
  int networks_ = 0;
  int endpoints_ = 0;
  uint64_t keys_ = 0;
};

std::string key_of(const Object& object) {
  struct Key {
    std::string operator()(const Cluster&) { return "cluster"; }
    std::string operator()(const Network& o) { return "network " + o.id.str(); }
    std::string operator()(const Endpoint& o) { return "endpoint " + o.id.str(); }
    std::string operator()(const Node& o) { return "node " + o.id.str(); }
    std::string operator()(const Quarantined& o) {
      return "quarantined " + o.network_id.str() + o.address.str();
    }
    std::string operator()(const AddressCursor& o) {
      return "cursor " + o.network_id.str() + o.subnet.str();
    }
    std::string operator()(const HandledRequest& o) { return "request " + o.id; }
  };
  return std::visit(Key{}, object);
}

using Table = std::map<std::string, Object>;

Table table_of(const Store& store) {
  Table table;
  store.for_each([&](const Object& object) { table.emplace(key_of(object), object); });
  return table;
}

// The first sentence that does not hold, or "".
std::string broken_invariant(const Store& store, const StoreOracle& oracle, WallTime now) {
  std::set<uint32_t> vnis;
  std::vector<Prefix> subnets;
  for (const Network* network : store.networks()) {
    const std::string name = network->spec.name;
    if (!vnis.insert(network->vni.value).second) return "a VNI has two owners: " + name;
    for (const Subnet& subnet : network->subnets) {
      for (const Prefix& other : subnets) {
        if (other.overlaps(subnet.prefix)) return "subnets overlap: " + subnet.prefix.str();
      }
      subnets.push_back(subnet.prefix);
    }
    std::set<Ip> ips;
    std::set<Mac> macs;
    std::set<std::string> names;
    for (const Endpoint* endpoint : store.endpoints_of(network->id)) {
      if (!macs.insert(endpoint->mac).second) return "a MAC has two owners on " + name;
      if (!names.insert(endpoint->spec.name).second) return "a name has two owners on " + name;
      for (const Prefix& address : endpoint->addresses) {
        if (!ips.insert(address.ip).second) return "an address has two owners on " + name;
      }
    }
    for (const SubnetUsage& usage : store.usage(network->id, now)) {
      if (usage.size != usage.used + usage.quarantined + usage.free) {
        return "usage does not add up on " + name;
      }
    }
  }
  if (vnis.size() != oracle.networks().size()) return "the number of networks differs";
  for (const Network& network : oracle.networks()) {
    const Network* found = store.network(network.id);
    if (found == nullptr || found->subnets != network.subnets || found->vni != network.vni) {
      return "network " + network.spec.name + " differs";
    }
    if (store.usage(network.id, now) != oracle.usage(network, now)) {
      return "the usage of network " + network.spec.name + " differs";
    }
  }
  if (store.endpoint_count() != oracle.endpoints().size()) return "the number of endpoints differs";
  for (const Endpoint& endpoint : oracle.endpoints()) {
    const Endpoint* found = store.endpoint(endpoint.id);
    if (found == nullptr || found->addresses != endpoint.addresses) {
      return "endpoint " + endpoint.spec.name + " differs";
    }
  }
  if (store.nodes().size() != oracle.nodes().size()) return "the number of nodes differs";
  return "";
}

// How often each kind of answer was seen: a run in which everything is refused proves nothing.
using Tally = std::map<std::string, int>;

void run_history(uint64_t seed, Tally& tally) {
  Generator generator(seed);
  Node first;
  first.id = id_of<NodeId>("n0");
  first.spec.role = Role::kManager;
  StoreOracle oracle(small_cluster(), first);
  Store store;
  Store twin;
  const Command init{kStart, 1, InitCluster{small_cluster(), first}};
  ASSERT_TRUE(store.apply(1, init).answer.ok());
  ASSERT_TRUE(twin.apply(1, init).answer.ok());
  Table table = table_of(store);

  for (uint64_t index = 2; index < kSteps; ++index) {
    const Command command = generator.next(oracle);
    const auto expected = oracle.apply(command);
    const Status checked = store.check(command);
    const auto before = store.objects();
    const Outcome outcome = store.apply(index, command);
    const Outcome twins = twin.apply(index, command);

    const std::string where = " at index " + std::to_string(index) + " operation " +
                              std::to_string(command.operation.index());
    const std::string said = outcome.answer.ok() ? "accepted" : outcome.answer.error().message;
    ASSERT_EQ(!outcome.answer.ok(), expected.has_value()) << said << where;
    ASSERT_EQ(checked.ok(), outcome.answer.ok()) << where;
    if (expected) {
      ASSERT_EQ(outcome.answer.error().code, *expected) << said << where;
      ASSERT_EQ(checked.error(), outcome.answer.error()) << where;
      ASSERT_TRUE(outcome.changes.empty()) << where;
      ASSERT_TRUE(store.objects() == before) << "a refused command changed something" << where;
    }
    ++tally[std::to_string(command.operation.index()) + " " +
            (expected ? std::string(to_string(*expected)) : "accepted")];
    ASSERT_TRUE(outcome.changes == twins.changes) << where;
    for (const Change& change : outcome.changes) {
      if (change.removed) {
        const auto it = table.find(key_of(change.object));
        ASSERT_TRUE(it != table.end() && it->second == change.object)
            << "what is removed is not what was there: " << key_of(change.object) << where;
        table.erase(it);
      } else {
        table.insert_or_assign(key_of(change.object), change.object);
      }
    }
    // Where the search for a VNI goes on is found from the networks, by whoever loads them (below):
    // the cluster's record may be older.
    Table shown = table;
    std::get<Cluster>(shown.at(key_of(*store.cluster()))).next_vni = store.cluster()->next_vni;
    ASSERT_TRUE(shown == table_of(store)) << "changes and objects differ" << where;
    ASSERT_EQ(broken_invariant(store, oracle, command.proposed_at), "") << where;

    if (generator.chance(5)) {
      Store loaded;
      for (const auto& [key, object] : table) loaded.load(object);
      const Status status = loaded.finish_load(index);
      ASSERT_TRUE(status.ok()) << status.error().message << where;
      twin = std::move(loaded);
    }
    ASSERT_TRUE(twin.objects() == store.objects()) << where;
  }
}

TEST(StorePropertyTest, DecidesAsTheOracleAndTheSameEverywhere) {
  const Seeds range = seeds(150);
  Tally tally;
  for (uint64_t seed = range.first; seed < range.last; ++seed) {
    SCOPED_TRACE("replay with SHOAL_SEED=" + std::to_string(seed));
    run_history(seed, tally);
    if (HasFatalFailure()) return;
  }
  if (range.last - range.first < 100) return;
  // Every answer that the rules know was met.
  for (const char* met :
       {"1 accepted",          "1 already_exists",     "1 conflict",         "1 resource_exhausted",
        "2 accepted",          "2 conflict",           "2 not_found",        "3 accepted",
        "3 already_exists",    "3 conflict",           "3 invalid_argument", "3 not_found",
        "3 permission_denied", "3 resource_exhausted", "4 accepted",         "4 permission_denied",
        "5 accepted",          "5 already_exists",     "5 conflict",         "6 accepted",
        "6 conflict",          "6 not_found",          "7 accepted",         "7 conflict",
        "7 not_found",         "8 accepted",           "9 accepted"}) {
    EXPECT_GT(tally[met], 0) << met;
  }
}

}  // namespace
}  // namespace shoal::manager
