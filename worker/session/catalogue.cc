#include "worker/session/catalogue.h"

namespace shoal::worker {
namespace {

void put(std::map<NetworkId, NetworkPtr>& table, const manager::Network& network) {
  table.insert_or_assign(network.id, std::make_shared<const manager::Network>(network));
}
template <typename Id, typename T>
void put(std::map<Id, T>& table, const T& object) {
  table.insert_or_assign(object.id, object);
}

template <typename Id, typename Held, typename T>
void merge(std::map<Id, Held>& table, const std::vector<T>& changed,
           const std::vector<Id>& removed) {
  for (const Id& id : removed) table.erase(id);
  for (const T& object : changed) put(table, object);
}

template <typename Id, typename T>
std::vector<T> values(const std::map<Id, T>& table) {
  std::vector<T> out;
  out.reserve(table.size());
  for (const auto& [id, object] : table) out.push_back(object);
  return out;
}

}  // namespace

void Catalogue::apply(const Assignments& assignments) {
  if (assignments.complete) {
    networks_.clear();
    endpoints_.clear();
    nodes_.clear();
  }
  merge(networks_, assignments.networks, assignments.removed_networks);
  merge(endpoints_, assignments.endpoints, assignments.removed_endpoints);
  merge(nodes_, assignments.nodes, assignments.removed_nodes);
}

Result<manager::Network> Catalogue::find_network(std::string_view reference) const {
  if (reference.empty()) return invalid_argument("name a network");
  const auto exact = networks_.find(NetworkId(reference));
  if (exact != networks_.end()) return *exact->second;
  const manager::Network* by_prefix = nullptr;
  size_t prefixes = 0;
  for (const auto& [id, network] : networks_) {
    if (network->spec.name == reference) return *network;
    if (!id.view().starts_with(reference)) continue;
    by_prefix = network.get();
    ++prefixes;
  }
  const std::string quoted = "\"" + std::string(reference.substr(0, 64)) + "\"";
  if (prefixes > 1) {
    return invalid_argument("network " + quoted + " is ambiguous: " + std::to_string(prefixes) +
                            " ids begin so");
  }
  if (by_prefix == nullptr) {
    return not_found("there is no network " + quoted + ": see `shoal network ls`");
  }
  return *by_prefix;
}

Catalogue::Content Catalogue::content() const {
  return {values(networks_), values(endpoints_), values(nodes_)};
}

}  // namespace shoal::worker
