// Store: the replicated state of the cluster, as every manager holds it.
//
// apply() is a function of (state, command): no clock, no draw of its own, so the managers that
// apply the same commands at the same indexes hold equal objects. A command is first planned
// without touching anything (check() is only that) and then its changes are committed one by one; a
// refused command changes nothing. Indexes are made of objects alone, so a store loaded from
// objects() goes on exactly as the one they came from.
//
// Cost: apply() is O(log objects) for every command but those whose effect is larger (removing a
// node with many endpoints). Pointers returned by reads are valid until the next apply(), load() or
// assignment. One thread owns a store.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/types/result.h"
#include "manager/allocator/address_space.h"
#include "manager/allocator/subnet_index.h"
#include "manager/allocator/vni_pool.h"
#include "manager/model/command.h"
#include "manager/model/objects.h"

namespace shoal::manager {

// Quarantine records that one apply removes beside its own work. An attach-detach pair makes at
// most two, so the backlog shrinks while any command flows.
inline constexpr size_t kExpiredPerApply = 64;
// A removed node is remembered so much longer than its certificates are valid: clocks differ.
inline constexpr Duration kRemovedNodeGrace = std::chrono::hours(7 * 24);
// Removals remembered. A request that is tried again has waited for an election at most, while
// which nothing is written, and half a second; beyond the bound it is refused as not known.
inline constexpr size_t kHandledRequests = 8192;
// How many holders a refusal names before "and N more".
inline constexpr size_t kNamedInRefusal = 5;

class Store {
 public:
  Store() = default;
  Store(Store&&) = default;
  Store& operator=(Store&&) = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Applies the command at `index`, which must be greater than applied_index(). Objects written get
  // it as their version.
  Outcome apply(uint64_t index, const Command& command);
  // What apply() would refuse now, with the same message. Later commands may change the answer.
  Status check(const Command& command) const;
  uint64_t applied_index() const { return applied_index_; }

  // Fills an empty store from tables or a snapshot: load() in any order, then finish_load() once.
  void load(Object object);
  // kDataLoss naming the first object that does not fit the others; the store is then unusable.
  Status finish_load(uint64_t applied_index);
  // Every object, in an order that depends on nothing but them.
  void for_each(const std::function<void(const Object&)>& visit) const;
  std::vector<Object> objects() const;

  const Cluster* cluster() const { return cluster_ ? &*cluster_ : nullptr; }

  const Network* network(const NetworkId& id) const;
  // By name, then id, then unique prefix of an id. kNotFound, kConflict (ambiguous).
  Result<const Network*> find_network(std::string_view text) const;
  std::vector<const Network*> networks() const;  // by name
  std::vector<SubnetUsage> usage(const NetworkId& id, WallTime now) const;

  const Endpoint* endpoint(const EndpointId& id) const;
  // By name in `network`, then id, then unique prefix of an id. With an empty `network` the name
  // must be unique among all. kNotFound, kConflict (ambiguous, naming the networks).
  Result<const Endpoint*> find_endpoint(const NetworkId& network, std::string_view text) const;
  std::vector<const Endpoint*> endpoints() const;                          // by id
  std::vector<const Endpoint*> endpoints_of(const NetworkId& id) const;    // by name
  std::vector<const Endpoint*> endpoints_of_node(const NodeId& id) const;  // by id
  size_t endpoint_count() const { return endpoints_.size(); }
  // Of all kinds, about.
  size_t object_count() const {
    return endpoints_.size() + nodes_.size() + networks_.size() + resting_.size() +
           handled_.size() + 1;
  }

  const Node* node(const NodeId& id) const;
  // By id, then unique hostname, then unique prefix of an id. kNotFound, kConflict (ambiguous).
  Result<const Node*> find_node(std::string_view text) const;
  std::vector<const Node*> nodes() const;  // by id
  size_t manager_count() const { return managers_; }
  // Refuses (kUnimplemented, naming a node) what not all managers of the raft group can apply.
  Status check_version(uint32_t version) const;
  // What became of a request that is tried (again: `since` is not 0; see Command). Nothing: it was
  // not carried out so far. kDeadlineExceeded: it was tried so long ago that it is not known.
  Result<std::optional<HandledRequest>> handled(const std::string& request, uint64_t since) const;
  // Whether it was removed and a certificate of it may still be valid.
  bool was_removed(const NodeId& id) const { return removed_nodes_.contains(id); }
  // The hostname, else the id's first 12 characters: how messages name a node.
  std::string node_name(const NodeId& id) const;

 private:
  struct NetworkState {
    explicit NetworkState(Network n) : network(std::move(n)), addresses(network) {}
    Network network;
    AddressSpace addresses;
    std::map<std::string, const Endpoint*> endpoints;  // by name
    // By name as DNS compares it. Several under one only when an earlier version let them in.
    std::multimap<std::string, const Endpoint*> folded_names;
    std::unordered_set<Mac> macs;
  };
  using Rest = std::tuple<WallTime, NetworkId, Ip>;

  struct Context {
    uint64_t index = 0;
    const std::string& request;
    WallTime now;
    uint64_t seed = 0;
  };
  struct Plan {
    Answer answer;
    std::vector<Change> changes;
  };

  Result<Plan> plan(const Command& command, uint64_t index) const;
  Result<Plan> plan(const InitCluster& op, const Context& context) const;
  Result<Plan> plan(const CreateNetwork& op, const Context& context) const;
  Result<Plan> plan(const RemoveNetwork& op, const Context& context) const;
  Result<Plan> plan(const AttachEndpoint& op, const Context& context) const;
  Result<Plan> plan(const DetachEndpoint& op, const Context& context) const;
  Result<Plan> plan(const CreateNode& op, const Context& context) const;
  Result<Plan> plan(const UpdateNode& op, const Context& context) const;
  Result<Plan> plan(const RemoveNode& op, const Context& context) const;
  Result<Plan> plan(const RotateJoinToken& op, const Context& context) const;
  Result<Plan> plan(const RotateGossipKey& op, const Context& context) const;
  Result<Plan> plan(const SetUnlockKey& op, const Context& context) const;

  Plan plan_again(const HandledRequest& handled, const Operation& operation) const;
  void remember_removal(const std::string& request, const NetworkId& id, uint64_t index,
                        std::vector<Change>& changes) const;
  Status check_attach(const AttachEndpoint& op, const NetworkState*& state) const;
  Status check_node_update(const Node& before, const Node& after) const;
  Mac draw_mac(const NetworkState& state, uint64_t seed) const;
  void plan_release(const Endpoint& endpoint, WallTime now, std::vector<Change>& changes) const;
  Error in_use(const NetworkState& state) const;
  std::vector<Change> plan_expiry(WallTime now) const;
  std::optional<Cluster> without_expired_nodes(WallTime now) const;

  void commit(const Change& change);
  void put(const Cluster& cluster);
  void put(const Network& network);
  void put(const Endpoint& endpoint);
  void put(const Node& node);
  void put(const Quarantined& quarantined);
  void put(const AddressCursor& cursor);
  void put(const HandledRequest& handled);
  void erase(const Cluster& cluster);
  void erase(const Network& network);
  void erase(const Endpoint& endpoint);
  void erase(const Node& node);
  void erase(const Quarantined& quarantined);
  void erase(const AddressCursor& cursor);
  void erase(const HandledRequest& handled);

  Status check_loaded(const Object& object) const;
  NetworkState& state_of(const NetworkId& id);
  const NetworkState* find_state(const NetworkId& id) const;

  uint64_t applied_index_ = 0;
  std::optional<Cluster> cluster_;
  std::map<NetworkId, NetworkState> networks_;
  std::map<EndpointId, Endpoint> endpoints_;
  std::map<NodeId, Node> nodes_;
  std::map<uint64_t, HandledRequest> handled_;  // by index
  // Endpoints are most of what there is, and far smaller than the largest kind of object.
  std::deque<Endpoint> loading_endpoints_;
  std::vector<Object> loading_;  // the others

  std::map<std::string, NetworkId> network_names_;
  SubnetIndex subnets_;
  VniPool vnis_;
  // cluster_->next_vni follows from the network that drew last and from the cluster's record,
  // whichever is newer: its version. So drawing a VNI writes no cluster record.
  uint64_t vni_drawn_at_ = 0;
  std::set<std::pair<std::string, EndpointId>> endpoint_names_;
  std::unordered_map<NodeId, std::set<EndpointId>> endpoints_by_node_;
  std::set<std::pair<std::string, NodeId>> hostnames_;
  std::unordered_map<uint64_t, NodeId> raft_ids_;
  std::unordered_set<NodeId> removed_nodes_;
  std::set<Rest> resting_;
  std::unordered_map<NetworkId, NetworkState*> network_index_;  // what networks_ holds
  std::unordered_map<std::string, uint64_t> handled_by_id_;     // -> index
  std::unordered_map<NetworkId, uint64_t> removed_networks_;    // -> index, in handled_
  NetworkId ingress_;                                           // the network that is, if any
  size_t managers_ = 0;  // nodes whose desired role is manager
};

}  // namespace shoal::manager
