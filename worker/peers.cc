#include "worker/peers.h"

#include <algorithm>
#include <set>

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
  if (known != table.end() && known->second.owner == owner && known->second.record == record) {
    if (known->second.hidden) names_.upsert(name_entry(network, network_name, key, record));
    return std::exchange(known->second.hidden, false);
  }
  names_.upsert(name_entry(network, network_name, key, record));
  table.insert_or_assign(key, Known{owner, std::move(record)});
  return true;
}

bool Peers::remove(const NetworkId& network, const std::string& key, const NodeId& owner) {
  const auto table = networks_.find(network);
  if (table == networks_.end()) return false;
  const auto known = table->second.find(key);
  if (known == table->second.end() || known->second.owner != owner) return false;
  names_.remove(network, key);
  table->second.erase(known);
  return true;
}

void Peers::hide(const NetworkId& network, const std::string& key, const NodeId& owner) {
  const auto table = networks_.find(network);
  if (table == networks_.end()) return;
  const auto known = table->second.find(key);
  if (known == table->second.end() || known->second.owner != owner) return;
  names_.remove(network, key);
  known->second.hidden = true;
}

bool Peers::drop_hidden(const NodeId& owner) {
  size_t dropped = 0;
  for (auto& [network, table] : networks_) {
    dropped += std::erase_if(
        table, [&](const auto& item) { return item.second.hidden && item.second.owner == owner; });
  }
  return dropped > 0;
}

void Peers::remove_network(const NetworkId& network) {
  networks_.erase(network);
  names_.remove_network(network);
}

std::vector<RemoteEndpoint> Peers::remotes() const {
  std::vector<RemoteEndpoint> out;
  out.reserve(size());
  for (const auto& [network, table] : networks_) {
    std::set<Ip> shown;
    for (const auto& [key, known] : table) {
      if (!known.hidden) shown.insert(known.record.ips.begin(), known.record.ips.end());
    }
    for (const auto& [key, known] : table) {
      const auto& ips = known.record.ips;
      const auto taken = [&](const Ip& ip) { return shown.contains(ip); };
      if (known.hidden && std::any_of(ips.begin(), ips.end(), taken)) continue;
      out.push_back({network, known.record.ips, known.record.mac, known.record.vtep});
    }
  }
  return out;
}

size_t Peers::size() const {
  size_t out = 0;
  for (const auto& [network, table] : networks_) out += table.size();
  return out;
}

}  // namespace shoal::worker
