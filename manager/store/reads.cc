#include <algorithm>

#include "manager/rules/rules.h"
#include "manager/store/store.h"

namespace shoal::manager {
namespace {

constexpr size_t kShortIdLength = 12;  // as Docker prints ids

// Every entry of an ordered map whose id begins with `prefix`, at most `limit`.
template <typename Map>
std::vector<typename Map::const_iterator> with_prefix(const Map& map, std::string_view prefix,
                                                      size_t limit) {
  std::vector<typename Map::const_iterator> result;
  if (prefix.empty() || prefix.size() > kIdLength) return result;
  auto it = map.lower_bound(typename Map::key_type(prefix));
  for (; it != map.end() && it->first.view().starts_with(prefix) && result.size() < limit; ++it) {
    result.push_back(it);
  }
  return result;
}

// "network prefix 3k is ambiguous: 3ka..., 3kb... and more".
template <typename Iterators>
Error ambiguous_prefix(const std::string& noun, std::string_view text, const Iterators& hits) {
  std::string names;
  for (size_t i = 0; i < hits.size() && i < kNamedInRefusal; ++i) {
    names += (names.empty() ? "" : ", ") + hits[i]->first.str();
  }
  return conflict(noun + " prefix " + printable(text) + " is ambiguous: " + names +
                  (hits.size() > kNamedInRefusal ? " and more" : ""));
}

}  // namespace

const Store::NetworkState* Store::find_state(const NetworkId& id) const {
  const auto it = network_index_.find(id);
  return it == network_index_.end() ? nullptr : it->second;
}

const Network* Store::network(const NetworkId& id) const {
  const NetworkState* state = find_state(id);
  return state == nullptr ? nullptr : &state->network;
}

Result<const Network*> Store::find_network(std::string_view text) const {
  const auto named = network_names_.find(std::string(text));
  if (named != network_names_.end()) return network(named->second);
  if (const Network* exact = network(NetworkId(text))) return exact;
  const auto hits = with_prefix(networks_, text, kNamedInRefusal + 1);
  if (hits.empty()) return not_found("no such network: " + printable(text));
  if (hits.size() > 1) return ambiguous_prefix("network", text, hits);
  return &hits.front()->second.network;
}

std::vector<const Network*> Store::networks() const {
  std::vector<const Network*> result;
  for (const auto& [name, id] : network_names_) result.push_back(network(id));
  return result;
}

std::vector<SubnetUsage> Store::usage(const NetworkId& id, WallTime now) const {
  const auto it = networks_.find(id);
  return it == networks_.end() ? std::vector<SubnetUsage>() : it->second.addresses.usage(now);
}

const Endpoint* Store::endpoint(const EndpointId& id) const {
  const auto it = endpoints_.find(id);
  return it == endpoints_.end() ? nullptr : &it->second;
}

Result<const Endpoint*> Store::find_endpoint(const NetworkId& network_id,
                                             std::string_view text) const {
  const auto fits = [&](const Endpoint& endpoint) {
    return network_id.empty() || endpoint.network_id == network_id;
  };
  const std::string name(text);
  std::vector<const Endpoint*> named;
  if (!network_id.empty()) {
    const auto state = networks_.find(network_id);
    if (state == networks_.end()) return not_found("no such network: " + network_id.str());
    const auto it = state->second.endpoints.find(name);
    if (it != state->second.endpoints.end()) return it->second;
  } else {
    for (auto it = endpoint_names_.lower_bound({name, EndpointId()});
         it != endpoint_names_.end() && it->first == name && named.size() <= kNamedInRefusal;
         ++it) {
      named.push_back(endpoint(it->second));
    }
  }
  if (named.size() == 1) return named.front();
  if (named.size() > 1) {
    std::string names;
    for (size_t i = 0; i < named.size() && i < kNamedInRefusal; ++i) {
      names += (names.empty() ? "" : ", ") + network(named[i]->network_id)->spec.name;
    }
    return conflict("endpoint " + printable(text) + " is ambiguous, it is on networks " + names +
                    (named.size() > kNamedInRefusal ? " and more" : "") + ": name the network");
  }
  if (const Endpoint* exact = endpoint(EndpointId(name)); exact != nullptr && fits(*exact)) {
    return exact;
  }
  // Ids are random, so a prefix long enough to be of use has few hits, whatever their networks.
  const auto hits = with_prefix(endpoints_, text, kNamedInRefusal + 1);
  if (hits.size() > 1) return ambiguous_prefix("endpoint", text, hits);
  if (hits.empty() || !fits(hits.front()->second)) {
    return not_found("no such endpoint: " + printable(text));
  }
  return &hits.front()->second;
}

std::vector<const Endpoint*> Store::endpoints() const {
  std::vector<const Endpoint*> result;
  for (const auto& [id, endpoint] : endpoints_) result.push_back(&endpoint);
  return result;
}

std::vector<const Endpoint*> Store::endpoints_of(const NetworkId& id) const {
  std::vector<const Endpoint*> result;
  const auto it = networks_.find(id);
  if (it == networks_.end()) return result;
  for (const auto& [name, endpoint] : it->second.endpoints) result.push_back(endpoint);
  return result;
}

std::vector<const Endpoint*> Store::endpoints_of_node(const NodeId& id) const {
  std::vector<const Endpoint*> result;
  const auto it = endpoints_by_node_.find(id);
  if (it == endpoints_by_node_.end()) return result;
  for (const EndpointId& endpoint_id : it->second) result.push_back(endpoint(endpoint_id));
  return result;
}

const Node* Store::node(const NodeId& id) const {
  const auto it = nodes_.find(id);
  return it == nodes_.end() ? nullptr : &it->second;
}

Result<const Node*> Store::find_node(std::string_view text) const {
  const std::string name(text);
  if (const Node* exact = node(NodeId(name))) return exact;
  std::vector<const Node*> named;
  for (auto it = hostnames_.lower_bound({name, NodeId()});
       !name.empty() && it != hostnames_.end() && it->first == name &&
       named.size() <= kNamedInRefusal;
       ++it) {
    named.push_back(node(it->second));
  }
  if (named.size() == 1) return named.front();
  if (named.size() > 1) {
    std::string ids;
    for (size_t i = 0; i < named.size() && i < kNamedInRefusal; ++i) {
      ids += (ids.empty() ? "" : ", ") + named[i]->id.str();
    }
    return conflict("node " + printable(text) + " is ambiguous: " + ids +
                    (named.size() > kNamedInRefusal ? " and more" : "") +
                    " have this hostname, name one by its id");
  }
  const auto hits = with_prefix(nodes_, text, kNamedInRefusal + 1);
  if (hits.empty()) return not_found("no such node: " + printable(text));
  if (hits.size() > 1) return ambiguous_prefix("node", text, hits);
  return &hits.front()->second;
}

std::vector<const Node*> Store::nodes() const {
  std::vector<const Node*> result;
  for (const auto& [id, node] : nodes_) result.push_back(&node);
  return result;
}

Status Store::check_version(uint32_t version) const {
  for (const auto& [raft_id, id] : raft_ids_) {
    const uint32_t can = std::max(nodes_.at(id).description.state_version, uint32_t{1});
    if (can >= version) continue;
    return unimplemented("this needs managers of a newer shoald, and manager " + node_name(id) +
                         " is of an older one: upgrade it first");
  }
  return ok_status();
}

std::string Store::node_name(const NodeId& id) const {
  const Node* found = node(id);
  if (found != nullptr && !found->description.hostname.empty()) {
    return printable(found->description.hostname);
  }
  return id.str().substr(0, kShortIdLength);
}

}  // namespace shoal::manager
