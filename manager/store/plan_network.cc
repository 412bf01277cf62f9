#include "manager/allocator/subnet_plan.h"
#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {

Result<Store::Plan> Store::plan(const CreateNetwork& op, const Context& context) const {
  SHOAL_TRY(NetworkId::parse(op.id.str()));
  if (const Network* made = network(op.id)) {
    if (made->spec == op.spec) return Plan{*made, {}};
    return already_exists("network id " + op.id.str() + " is taken by network \"" +
                          made->spec.name + "\"");
  }
  SHOAL_TRY(check_network_spec(op.spec));
  if (network_names_.contains(op.spec.name)) {
    return already_exists("network \"" + op.spec.name + "\" already exists");
  }
  if (const Network* other = network(ingress_); op.spec.ingress && other != nullptr) {
    return conflict("network \"" + other->spec.name +
                    "\" is the ingress network already: remove it first");
  }

  Network made;
  made.id = op.id;
  made.spec = op.spec;
  const Pools pools{cluster_->address_pools, cluster_->mask_length_v4, cluster_->mask_length_v6};
  made.subnets = SHOAL_TRY(plan_subnets(op.spec, pools, subnets_, op.avoid));
  made.created_at = made.updated_at = context.now;
  made.version = context.index;

  Plan result;
  if (const auto asked = SHOAL_TRY(requested_vni(op.spec))) {
    SHOAL_TRY(vnis_.check(*asked));
    made.vni = *asked;
  } else {
    made.vni = SHOAL_TRY(vnis_.draw(cluster_->next_vni));
  }
  result.changes.push_back({made, false});
  result.answer = std::move(made);
  return result;
}

Result<Store::Plan> Store::plan(const RemoveNetwork& op, const Context& context) const {
  const NetworkState* found = find_state(op.id);
  if (found == nullptr) return not_found("no such network: " + printable(op.id.str()));
  const NetworkState& state = *found;
  if (!state.endpoints.empty()) return in_use(state);
  Plan result{state.network, {}};
  for (const auto& [ip, until] : state.addresses.quarantined()) {
    result.changes.push_back({Quarantined{op.id, ip, until}, true});
  }
  for (const AddressCursor& cursor : state.addresses.cursors()) {
    result.changes.push_back({cursor, true});
  }
  if (state.network.version == vni_drawn_at_) {
    // With it goes what tells where the search for a VNI goes on.
    Cluster after = *cluster_;
    after.version = context.index;
    result.changes.push_back({std::move(after), false});
  }
  result.changes.push_back({state.network, true});
  remember_removal(context.request, op.id, context.index, result.changes);
  return result;
}

Error Store::in_use(const NetworkState& state) const {
  std::string names;
  size_t named = 0;
  for (const auto& [name, endpoint] : state.endpoints) {
    if (named++ == kNamedInRefusal) break;
    names += (names.empty() ? "" : ", ") + name + " (node " + node_name(endpoint->node_id) + ")";
  }
  if (state.endpoints.size() > kNamedInRefusal) {
    names += " and " + std::to_string(state.endpoints.size() - kNamedInRefusal) + " more";
  }
  return conflict("network \"" + state.network.spec.name + "\" is in use by " + names +
                  ": detach them first");
}

}  // namespace shoal::manager
