#include "base/ports/ports.h"
#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {

Status Store::check_attach(const AttachEndpoint& op, const NetworkState*& state) const {
  SHOAL_TRY(EndpointId::parse(op.id.str()));
  const NetworkState* found = find_state(op.network_id);
  if (found == nullptr) {
    return not_found("no such network: " + printable(op.network_id.str()));
  }
  state = found;
  const std::string& network_name = state->network.spec.name;
  if (!state->network.spec.attachable) {
    return permission_denied("network \"" + network_name +
                             "\" is not attachable: create it with --attachable");
  }
  if (node(op.node_id) == nullptr) {
    return not_found("no such node: " + printable(op.node_id.str()));
  }
  SHOAL_TRY(check_endpoint_spec(op.spec));
  const auto named = state->folded_names.find(folded(op.spec.name));
  if (named != state->folded_names.end()) {
    return already_exists("endpoint \"" + named->second->spec.name +
                          "\" already exists on network \"" + network_name + "\" (node " +
                          node_name(named->second->node_id) +
                          "): take another name, or detach it first");
  }
  return ok_status();
}

Result<Store::Plan> Store::plan(const AttachEndpoint& op, const Context& context) const {
  if (const Endpoint* made = endpoint(op.id)) {
    if (made->network_id == op.network_id && made->node_id == op.node_id && made->spec == op.spec) {
      return Plan{*made, {}};
    }
    return already_exists("endpoint id " + op.id.str() + " is taken by endpoint \"" +
                          made->spec.name + "\" (node " + node_name(made->node_id) + ")");
  }
  const NetworkState* state = nullptr;
  SHOAL_TRY(check_attach(op, state));
  auto choice = SHOAL_TRY(state->addresses.choose(op.spec.addresses, context.now));

  Endpoint made;
  made.id = op.id;
  made.network_id = op.network_id;
  made.node_id = op.node_id;
  made.spec = op.spec;
  made.addresses = std::move(choice.addresses);
  made.mac = draw_mac(*state, context.seed);
  made.created_at = context.now;
  made.version = context.index;

  Plan result;
  for (const Ip& ip : choice.recalled) {
    const WallTime until = *state->addresses.quarantined_until(ip);
    result.changes.push_back({Quarantined{op.network_id, ip, until}, true});
  }
  for (const AddressCursor& cursor : choice.cursors) result.changes.push_back({cursor, false});
  result.changes.push_back({made, false});
  result.answer = std::move(made);
  return result;
}

// Ends: a network cannot hold 2^46 endpoints, and the sequence of a seed does not repeat before.
Mac Store::draw_mac(const NetworkState& state, uint64_t seed) const {
  SeededRng rng(seed);
  for (;;) {
    const Mac mac = Mac::from_random(rng.next());
    if (!state.macs.contains(mac)) return mac;
  }
}

Result<Store::Plan> Store::plan(const DetachEndpoint& op, const Context& context) const {
  const Endpoint* found = endpoint(op.id);
  if (found == nullptr) return Plan{};
  if (!op.node_id.empty() && op.node_id != found->node_id) {
    return permission_denied("endpoint \"" + found->spec.name + "\" is attached on node " +
                             node_name(found->node_id) + ", not on node " + node_name(op.node_id) +
                             ": detach it there");
  }
  Plan result{*found, {}};
  plan_release(*found, context.now, result.changes);
  return result;
}

void Store::plan_release(const Endpoint& endpoint, WallTime now,
                         std::vector<Change>& changes) const {
  changes.push_back({endpoint, true});
  for (const Prefix& address : endpoint.addresses) {
    changes.push_back({Quarantined{endpoint.network_id, address.ip, now + kQuarantine}, false});
  }
}

}  // namespace shoal::manager
