#include "worker/dns/names/name_table.h"

#include <algorithm>

#include "base/ports/ports.h"

namespace shoal::worker::dns {
namespace {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// A set of addresses that counts how many entries bring each; sorted, so that what is answered does
// not depend on the order in which events arrived.
class AddressSet {
 public:
  void add(const Ip& ip) {
    const auto at = place(ip);
    if (at != items_.end() && at->ip == ip) {
      ++at->count;
    } else {
      items_.insert(at, {ip, 1});
    }
  }
  void remove(const Ip& ip) {
    const auto at = place(ip);
    if (--at->count == 0) items_.erase(at);
  }
  bool empty() const { return items_.empty(); }
  // Up to `room` addresses, beginning at a random one.
  void append_to(std::vector<Ip>& out, size_t room, uint64_t random) const {
    const size_t count = std::min(items_.size(), room);
    size_t at = items_.empty() ? 0 : random % items_.size();
    for (size_t i = 0; i < count; ++i) {
      out.push_back(items_[at].ip);
      if (++at == items_.size()) at = 0;
    }
  }

 private:
  struct Item {
    Ip ip;
    uint32_t count;
  };
  std::vector<Item>::iterator place(const Ip& ip) {
    return std::lower_bound(items_.begin(), items_.end(), ip,
                            [](const Item& item, const Ip& wanted) { return item.ip < wanted; });
  }

  std::vector<Item> items_;
};

struct Bucket {
  AddressSet v4;
  AddressSet v6;
  size_t entries = 0;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(ascii_lower(static_cast<uint8_t>(c)));
  return out;
}

// The lower-case names of an entry that can be asked for, each once.
std::vector<std::string> index_names(const NameEntry& entry) {
  std::vector<std::string> names;
  const auto add = [&names](std::string_view text) {
    if (text.empty() || !Name::from_text(text)) return;
    if (text.ends_with('.')) text.remove_suffix(1);
    if (!text.empty()) names.push_back(lower(text));
  };
  add(entry.name);
  add(entry.short_id);
  for (const std::string& alias : entry.aliases) add(alias);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void shuffle(std::vector<Ip>& addresses, uint64_t random) {
  SeededRng rng(random);
  for (size_t i = addresses.size(); i > 1; --i)
    std::swap(addresses[i - 1], addresses[rng.below(i)]);
}

}  // namespace

struct NameTable::Network {
  std::string name;  // as given
  std::string key;   // lower case
  TextMap<NameEntry> entries;
  TextMap<Bucket> by_name;
  std::unordered_map<Ip, std::vector<const NameEntry*>> by_ip;  // sorted by key

  void index(const NameEntry& entry);
  void unindex(const NameEntry& entry);
  void find(std::string_view name, bool v4, bool v6, uint64_t random, bool& exists,
            std::vector<Ip>& out) const;
};

void NameTable::Network::index(const NameEntry& entry) {
  for (std::string& name : index_names(entry)) {
    Bucket& bucket = by_name[std::move(name)];
    ++bucket.entries;
    for (const Ip& ip : entry.ips) (ip.is_v4() ? bucket.v4 : bucket.v6).add(ip);
  }
  for (const Ip& ip : entry.ips) {
    auto& owners = by_ip[ip];
    const auto at =
        std::lower_bound(owners.begin(), owners.end(), &entry,
                         [](const NameEntry* a, const NameEntry* b) { return a->key < b->key; });
    owners.insert(at, &entry);
  }
}

void NameTable::Network::unindex(const NameEntry& entry) {
  for (const std::string& name : index_names(entry)) {
    const auto bucket = by_name.find(name);
    if (--bucket->second.entries == 0) {
      by_name.erase(bucket);
      continue;
    }
    for (const Ip& ip : entry.ips) (ip.is_v4() ? bucket->second.v4 : bucket->second.v6).remove(ip);
  }
  for (const Ip& ip : entry.ips) {
    const auto owners = by_ip.find(ip);
    std::erase(owners->second, &entry);
    if (owners->second.empty()) by_ip.erase(owners);
  }
}

void NameTable::Network::find(std::string_view name, bool v4, bool v6, uint64_t random,
                              bool& exists, std::vector<Ip>& out) const {
  const auto bucket = by_name.find(name);
  if (bucket == by_name.end()) return;
  exists = true;
  // Both families together: each keeps a half, so that neither crowds the other out.
  const size_t room = v4 && v6 ? kMaxAddresses / 2 : kMaxAddresses;
  if (v4) bucket->second.v4.append_to(out, room, random);
  if (v6) bucket->second.v6.append_to(out, room, random);
}

NameTable::NameTable() = default;
NameTable::~NameTable() = default;
NameTable::NameTable(NameTable&&) noexcept = default;
NameTable& NameTable::operator=(NameTable&&) noexcept = default;

void NameTable::upsert(NameEntry entry) {
  std::sort(entry.ips.begin(), entry.ips.end());
  entry.ips.erase(std::unique(entry.ips.begin(), entry.ips.end()), entry.ips.end());
  auto& network = networks_[entry.network];
  if (!network) network = std::make_unique<Network>();
  if (network->name != entry.network_name) {
    network->name = entry.network_name;
    network->key = lower(entry.network_name);
  }
  const auto [at, is_new] = network->entries.try_emplace(entry.key);
  if (is_new) {
    ++size_;
  } else {
    if (at->second == entry) return;
    network->unindex(at->second);
  }
  at->second = std::move(entry);
  network->index(at->second);
}

bool NameTable::remove(const NetworkId& network_id, std::string_view key) {
  const auto network = networks_.find(network_id);
  if (network == networks_.end()) return false;
  const auto entry = network->second->entries.find(key);
  if (entry == network->second->entries.end()) return false;
  network->second->unindex(entry->second);
  network->second->entries.erase(entry);
  --size_;
  if (network->second->entries.empty()) networks_.erase(network);
  return true;
}

void NameTable::remove_network(const NetworkId& network_id) {
  const auto network = networks_.find(network_id);
  if (network == networks_.end()) return;
  size_ -= network->second->entries.size();
  networks_.erase(network);
}

Found NameTable::lookup(std::span<const NetworkId> networks, const Name& name, bool want_v4,
                        bool want_v6, uint64_t random, Answer& out) const {
  out.addresses.clear();
  out.names.clear();
  std::array<char, kMaxNameSize> buffer;
  const std::string_view text = name.key(buffer);
  if (text.empty()) return Found::kUnknown;
  bool exists = false;
  const auto done = [&] {
    if (out.addresses.size() > 1) shuffle(out.addresses, random);
    return !out.addresses.empty() ? Found::kAnswer : exists ? Found::kNoData : Found::kUnknown;
  };
  for (const NetworkId& id : networks) {
    const auto network = networks_.find(id);
    if (network == networks_.end()) continue;
    network->second->find(text, want_v4, want_v6, random, exists, out.addresses);
    if (!out.addresses.empty()) return done();
  }
  for (size_t dot = text.rfind('.'); dot != std::string_view::npos && dot > 0;
       dot = text.rfind('.', dot - 1)) {
    const std::string_view suffix = text.substr(dot + 1);
    for (const NetworkId& id : networks) {
      const auto network = networks_.find(id);
      if (network == networks_.end() || network->second->key != suffix) continue;
      network->second->find(text.substr(0, dot), want_v4, want_v6, random, exists, out.addresses);
      if (!out.addresses.empty()) return done();
    }
  }
  return done();
}

Found NameTable::reverse(std::span<const NetworkId> networks, const Ip& ip, Answer& out) const {
  out.addresses.clear();
  out.names.clear();
  bool known = false;
  for (const NetworkId& id : networks) {
    const auto network = networks_.find(id);
    if (network == networks_.end()) continue;
    const auto owners = network->second->by_ip.find(ip);
    if (owners == network->second->by_ip.end()) continue;
    known = true;
    for (const NameEntry* entry : owners->second) {
      if (entry->name.empty() || out.names.size() == kMaxReverseNames) continue;
      const auto name = Name::from_text(entry->name + "." + network->second->name);
      if (name) out.names.push_back(*name);
    }
    if (!out.names.empty()) return Found::kAnswer;
  }
  return known ? Found::kNoData : Found::kUnknown;
}

}  // namespace shoal::worker::dns
