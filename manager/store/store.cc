#include "manager/store/store.h"

#include "base/types/check.h"

namespace shoal::manager {

Outcome Store::apply(uint64_t index, const Command& command) {
  SHOAL_CHECK(index > applied_index_, "an entry is applied once, in order");
  applied_index_ = index;
  Result<Plan> planned = plan(command, index);
  if (!planned) return {planned.error(), {}};
  Outcome outcome{std::move(planned->answer), std::move(planned->changes)};
  for (const Change& change : outcome.changes) commit(change);
  for (Change& change : plan_expiry(command.proposed_at)) {
    commit(change);
    outcome.changes.push_back(std::move(change));
  }
  return outcome;
}

Status Store::check(const Command& command) const {
  const Result<Plan> planned = plan(command, applied_index_ + 1);
  return planned ? ok_status() : Status(planned.error());
}

Result<Store::Plan> Store::plan(const Command& command, uint64_t index) const {
  const Context context{index, command.request, command.proposed_at, command.seed};
  if (!cluster_ && !std::holds_alternative<InitCluster>(command.operation)) {
    return conflict("the cluster is not initialised: run \"shoal init\" first");
  }
  if (!command.request.empty()) {
    const auto before = SHOAL_TRY(handled(command.request, command.since));
    if (before) return plan_again(*before, command.operation);
  }
  return std::visit([&](const auto& op) { return plan(op, context); }, command.operation);
}

std::vector<Change> Store::plan_expiry(WallTime now) const {
  std::vector<Change> changes;
  for (auto it = resting_.begin(); it != resting_.end() && changes.size() < kExpiredPerApply;
       ++it) {
    const auto& [until, network_id, ip] = *it;
    if (until > now) break;
    changes.push_back({Quarantined{network_id, ip, until}, true});
  }
  if (auto cluster = without_expired_nodes(now)) changes.push_back({std::move(*cluster), false});
  return changes;
}

// Looks at the oldest only, so that a command costs nothing while there is nothing to forget.
std::optional<Cluster> Store::without_expired_nodes(WallTime now) const {
  const auto expired = [now](const RemovedNode& node) {
    return node.expires_at.nanoseconds != 0 && node.expires_at + kRemovedNodeGrace <= now;
  };
  if (!cluster_ || cluster_->removed_nodes.empty() || !expired(cluster_->removed_nodes.front())) {
    return std::nullopt;
  }
  Cluster after = *cluster_;
  std::erase_if(after.removed_nodes, expired);
  after.version = applied_index_;
  return after;
}

void Store::load(Object object) {
  if (auto* endpoint = std::get_if<Endpoint>(&object)) {
    loading_endpoints_.push_back(std::move(*endpoint));
  } else {
    loading_.push_back(std::move(object));
  }
}

Status Store::finish_load(uint64_t applied_index) {
  SHOAL_CHECK(!cluster_ && nodes_.empty() && networks_.empty(), "only an empty store is filled");
  // What refers to others comes after them.
  const auto rank = [](const Object& object) {
    struct Rank {
      int operator()(const Cluster&) { return 0; }
      int operator()(const Node&) { return 1; }
      int operator()(const Network&) { return 2; }
      int operator()(const AddressCursor&) { return 3; }
      int operator()(const Endpoint&) { return 3; }
      int operator()(const Quarantined&) { return 3; }
      int operator()(const HandledRequest&) { return 3; }
    };
    return std::visit(Rank{}, object);
  };
  for (int stage = 0; stage <= 3; ++stage) {
    for (Object& object : loading_) {
      if (rank(object) != stage) continue;
      SHOAL_TRY(check_loaded(object));
      commit({std::move(object), false});
    }
  }
  loading_ = {};
  // What is taken in is let go of, so that no endpoint is there twice for long.
  for (; !loading_endpoints_.empty(); loading_endpoints_.pop_front()) {
    const Change change{std::move(loading_endpoints_.front()), false};
    SHOAL_TRY(check_loaded(change.object));
    commit(change);
  }
  applied_index_ = applied_index;
  return ok_status();
}

void Store::for_each(const std::function<void(const Object&)>& visit) const {
  if (cluster_) visit(*cluster_);
  for (const auto& [id, node] : nodes_) visit(node);
  for (const auto& [id, state] : networks_) {
    visit(state.network);
    for (const AddressCursor& cursor : state.addresses.cursors()) visit(cursor);
    for (const auto& [ip, until] : state.addresses.quarantined()) {
      visit(Quarantined{id, ip, until});
    }
  }
  for (const auto& [id, endpoint] : endpoints_) visit(endpoint);
  for (const auto& [index, handled] : handled_) visit(handled);
}

std::vector<Object> Store::objects() const {
  std::vector<Object> result;
  for_each([&result](const Object& object) { result.push_back(object); });
  return result;
}

}  // namespace shoal::manager
