#include "worker/peers.h"

#include <algorithm>

namespace shoal::worker {
namespace {

constexpr size_t kShortIdLength = 12;  // as Docker prints ids

}  // namespace

dns::NameEntry name_entry(const NetworkId& network, const std::string& network_name,
                          const std::string& key, const EndpointRecord& record) {
  dns::NameEntry out;
  out.network = network;
  out.network_name = network_name;
  out.key = key;
  out.name = record.name;
  out.aliases = record.aliases;
  if (is_id(key)) out.short_id = key.substr(0, kShortIdLength);
  out.ips = record.ips;
  return out;
}

bool Peers::upsert(const NetworkId& network, const std::string& network_name,
                   const std::string& key, const NodeId& owner, EndpointRecord record) {
  if (record.vtep == self_) return false;
  auto& table = networks_[network];
  const auto known = table.find(key);
  const bool same =
      known != table.end() && known->second.owner == owner && known->second.record == record;
  if (same && !known->second.hidden) return false;
  names_.upsert(name_entry(network, network_name, key, record));
  drop_taken(network, key, record.ips);
  table.insert_or_assign(key, Known{owner, std::move(record)});
  return !same;
}

bool Peers::remove(const NetworkId& network, const std::string& key, const NodeId& owner) {
  const auto table = networks_.find(network);
  if (table == networks_.end()) return false;
  const auto known = table->second.find(key);
  if (known == table->second.end() || known->second.owner != owner) return false;
  names_.remove(network, key);
  known->second.hidden = failed_.contains(owner);
  if (known->second.hidden) return false;
  table->second.erase(known);
  return true;
}

bool Peers::set_alive(const NodeId& owner) {
  failed_.erase(owner);
  return std::any_of(networks_.begin(), networks_.end(), [&](const auto& network) {
    return std::any_of(network.second.begin(), network.second.end(), [&](const auto& item) {
      return item.second.hidden && item.second.owner == owner;
    });
  });
}

template <typename Condition>
bool Peers::drop_if(Condition condition) {
  size_t dropped = 0;
  for (auto& [network, table] : networks_) {
    dropped += std::erase_if(table, [&, id = network](const auto& item) {
      return item.second.hidden && condition(id, item.first, item.second);
    });
  }
  return dropped != 0;
}

bool Peers::drop_node(const NodeId& owner) {
  failed_.erase(owner);
  return drop_if([&](const NetworkId&, const std::string&, const Known& known) {
    return known.owner == owner;
  });
}

bool Peers::drop_hidden() {
  return drop_if([&](const NetworkId&, const std::string&, const Known& known) {
    return !failed_.contains(known.owner);
  });
}

bool Peers::drop_taken(const NetworkId& network, const std::string& by,
                       const std::vector<Ip>& ips) {
  return drop_if([&](const NetworkId& id, const std::string& key, const Known& known) {
    const std::vector<Ip>& theirs = known.record.ips;
    return id == network && key != by &&
           std::find_first_of(theirs.begin(), theirs.end(), ips.begin(), ips.end()) != theirs.end();
  });
}

void Peers::remove_network(const NetworkId& network) {
  networks_.erase(network);
  names_.remove_network(network);
}

std::vector<RemoteEndpoint> Peers::remotes() const {
  std::vector<RemoteEndpoint> out;
  for (const auto& [network, table] : networks_) {
    for (const auto& [key, known] : table) {
      out.push_back({network, known.record.ips, known.record.mac, known.record.vtep});
    }
  }
  return out;
}

size_t Peers::size() const {
  size_t out = 0;
  for (const auto& [network, table] : networks_) {
    out += static_cast<size_t>(std::count_if(table.begin(), table.end(),
                                             [](const auto& item) { return !item.second.hidden; }));
  }
  return out;
}

}  // namespace shoal::worker
