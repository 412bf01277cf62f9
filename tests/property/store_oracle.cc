#include "tests/property/store_oracle.h"

#include <algorithm>
#include <tuple>

namespace shoal::manager {
namespace {

constexpr Duration kRest = std::chrono::seconds(60);
constexpr size_t kClearedAtOnce = 64;

template <typename List, typename Id>
auto* by_id(List& list, const Id& id) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const auto& x) { return x.id == id; });
  return it == list.end() ? nullptr : &*it;
}

bool overlaps_any(const Prefix& prefix, const std::vector<Prefix>& others) {
  return std::any_of(others.begin(), others.end(),
                     [&](const Prefix& other) { return other.overlaps(prefix); });
}

bool same_name(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return tolower(x) == tolower(y); });
}

std::vector<Ip> all_of(const Prefix& prefix) {
  std::vector<Ip> result;
  for (Ip ip = prefix.first();; ip = ip.plus(1)) {
    result.push_back(ip);
    if (ip == prefix.last()) return result;
  }
}

}  // namespace

std::optional<ErrorClass> StoreOracle::apply(const Command& command) {
  now_ = command.proposed_at;
  const Refusal refusal =
      std::visit([this](const auto& op) { return operate(op); }, command.operation);
  if (!refusal) clear_expired();
  return refusal;
}

void StoreOracle::clear_expired() {
  std::sort(resting_.begin(), resting_.end(), [](const Rest& a, const Rest& b) {
    return std::tie(a.until, a.network_id, a.address) < std::tie(b.until, b.network_id, b.address);
  });
  size_t expired = 0;
  while (expired < resting_.size() && expired < kClearedAtOnce && resting_[expired].until <= now_) {
    ++expired;
  }
  resting_.erase(resting_.begin(), resting_.begin() + static_cast<std::ptrdiff_t>(expired));
}

StoreOracle::Refusal StoreOracle::operate(const CreateNetwork& op) {
  if (const Network* made = by_id(networks_, op.id)) {
    return made->spec == op.spec ? Refusal() : ErrorClass::kAlreadyExists;
  }
  for (const Network& other : networks_) {
    if (other.spec.name == op.spec.name) return ErrorClass::kAlreadyExists;
  }
  Network made;
  made.id = op.id;
  made.spec = op.spec;
  if (const Refusal refusal = plan_subnets(op, made.subnets)) return refusal;
  const auto taken = [this](uint32_t vni) {
    return std::any_of(networks_.begin(), networks_.end(),
                       [vni](const Network& other) { return other.vni.value == vni; });
  };
  const auto option = op.spec.options.find("com.docker.network.driver.overlay.vxlanid_list");
  if (option != op.spec.options.end()) {
    made.vni.value = static_cast<uint32_t>(std::stoul(option->second));
    if (taken(made.vni.value)) return ErrorClass::kConflict;
  } else {
    made.vni = cluster_.next_vni;
    while (taken(made.vni.value)) ++made.vni.value;
    cluster_.next_vni.value = made.vni.value + 1;
  }
  networks_.push_back(made);
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::plan_subnets(const CreateNetwork& op,
                                               std::vector<Subnet>& result) const {
  std::vector<SubnetSpec> wanted = op.spec.subnets;
  const auto has_family = [&wanted](Family family) {
    return std::any_of(wanted.begin(), wanted.end(), [family](const SubnetSpec& spec) {
      return spec.subnet->ip.family() == family;
    });
  };
  if (!has_family(Family::kV4)) {
    wanted.insert(wanted.begin(), SubnetSpec{Prefix{Ip(), cluster_.mask_length_v4}, {}, {}, {}});
  }
  if (op.spec.ipv6 && !has_family(Family::kV6)) {
    wanted.push_back({Prefix{Ip::v6({}), cluster_.mask_length_v6}, {}, {}, {}});
  }
  std::vector<Prefix> existing;
  for (const Network& network : networks_) {
    for (const Subnet& subnet : network.subnets) existing.push_back(subnet.prefix);
  }
  std::vector<Prefix> taken = existing;
  taken.insert(taken.end(), op.avoid.begin(), op.avoid.end());
  for (const SubnetSpec& spec : wanted) {
    if (spec.subnet->ip.is_unspecified()) continue;
    if (overlaps_any(*spec.subnet, existing)) return ErrorClass::kConflict;
    taken.push_back(*spec.subnet);
  }
  for (const SubnetSpec& spec : wanted) {
    std::optional<Prefix> prefix = spec.subnet;
    if (prefix->ip.is_unspecified()) {
      prefix = draw_subnet(prefix->ip.family(), prefix->length, taken);
      if (!prefix) return ErrorClass::kResourceExhausted;
      taken.push_back(*prefix);
    }
    const bool pair = prefix->ip.is_v4() && prefix->length == 31;
    Subnet subnet{*prefix, pair ? prefix->first() : prefix->first().plus(1), spec.ip_range, {}};
    if (spec.gateway) subnet.gateway = *spec.gateway;
    result.push_back(subnet);
  }
  return std::nullopt;
}

std::optional<Prefix> StoreOracle::draw_subnet(Family family, uint8_t length,
                                               const std::vector<Prefix>& taken) const {
  for (const Prefix& pool : cluster_.address_pools) {
    if (pool.ip.family() != family || length < pool.length) continue;
    for (const Ip& ip : all_of(pool)) {
      const Prefix candidate{ip, length};
      if (candidate == candidate.network() && !overlaps_any(candidate, taken)) return candidate;
    }
  }
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::operate(const RemoveNetwork& op) {
  if (by_id(networks_, op.id) == nullptr) return ErrorClass::kNotFound;
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.network_id == op.id) return ErrorClass::kConflict;
  }
  std::erase_if(networks_, [&](const Network& network) { return network.id == op.id; });
  std::erase_if(resting_, [&](const Rest& rest) { return rest.network_id == op.id; });
  std::erase_if(after_last_, [&](const auto& entry) { return entry.first.first == op.id; });
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::operate(const AttachEndpoint& op) {
  if (const Endpoint* made = by_id(endpoints_, op.id)) {
    const bool same =
        made->network_id == op.network_id && made->node_id == op.node_id && made->spec == op.spec;
    return same ? Refusal() : ErrorClass::kAlreadyExists;
  }
  const Network* network = by_id(networks_, op.network_id);
  if (network == nullptr) return ErrorClass::kNotFound;
  if (!network->spec.attachable) return ErrorClass::kPermissionDenied;
  if (by_id(nodes_, op.node_id) == nullptr) return ErrorClass::kNotFound;
  for (const Endpoint& other : endpoints_) {
    if (other.network_id == op.network_id && same_name(other.spec.name, op.spec.name)) {
      return ErrorClass::kAlreadyExists;
    }
  }
  Endpoint made{op.id, op.network_id, op.node_id, op.spec, {}, {}, {}, 0};
  const auto before = after_last_;
  if (const Refusal refusal = choose(*network, op.spec.addresses, made.addresses)) {
    after_last_ = before;
    return refusal;
  }
  std::erase_if(resting_, [&](const Rest& rest) {
    return rest.network_id == op.network_id &&
           std::any_of(made.addresses.begin(), made.addresses.end(),
                       [&](const Prefix& address) { return address.ip == rest.address; });
  });
  endpoints_.push_back(made);
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::choose(const Network& network, const std::vector<Ip>& requested,
                                         std::vector<Prefix>& result) {
  for (const Ip& ip : requested) {
    const auto subnet =
        std::find_if(network.subnets.begin(), network.subnets.end(),
                     [&](const Subnet& candidate) { return givable(candidate, ip); });
    if (subnet == network.subnets.end()) return ErrorClass::kInvalidArgument;
    if (held(network.id, ip)) return ErrorClass::kAlreadyExists;
    const Rest* resting = rest(network.id, ip);
    if (resting != nullptr && resting->until > now_) return ErrorClass::kConflict;
  }
  for (const Family family : {Family::kV4, Family::kV6}) {
    std::optional<Prefix> chosen;
    bool wanted = false;
    for (const Subnet& subnet : network.subnets) {
      if (subnet.prefix.ip.family() != family || chosen) continue;
      wanted = true;
      bool asked = false;
      for (const Ip& ip : requested) {
        if (ip.family() != family) continue;
        asked = true;
        if (subnet.prefix.contains(ip)) chosen = Prefix{ip, subnet.prefix.length};
      }
      if (asked) continue;
      if (const auto ip = draw_address(network, subnet)) chosen = Prefix{*ip, subnet.prefix.length};
    }
    if (wanted && !chosen) return ErrorClass::kResourceExhausted;
    if (chosen) result.push_back(*chosen);
  }
  return std::nullopt;
}

std::optional<Ip> StoreOracle::draw_address(const Network& network, const Subnet& subnet) {
  std::vector<Ip> window = all_of(subnet.ip_range.value_or(subnet.prefix));
  Ip& next = after_last_.try_emplace({network.id, subnet.prefix}, window.front()).first->second;
  const auto start = std::find(window.begin(), window.end(), next);
  if (start != window.end()) std::rotate(window.begin(), start, window.end());
  std::optional<std::pair<WallTime, Ip>> rested;
  for (const Ip& ip : window) {
    if (!givable(subnet, ip) || held(network.id, ip)) continue;
    const Rest* resting = rest(network.id, ip);
    if (resting == nullptr) {
      next = ip.plus(1);
      return ip;
    }
    const std::pair<WallTime, Ip> candidate{resting->until, ip};
    if (resting->until <= now_ && (!rested || candidate < *rested)) rested = candidate;
  }
  if (!rested) return std::nullopt;
  next = rested->second.plus(1);
  return rested->second;
}

bool StoreOracle::givable(const Subnet& subnet, const Ip& ip) const {
  if (!subnet.prefix.contains(ip) || ip == subnet.gateway) return false;
  if (ip.is_v6()) return ip != subnet.prefix.first();
  return subnet.prefix.length == 31 || (ip != subnet.prefix.first() && ip != subnet.prefix.last());
}

bool StoreOracle::held(const NetworkId& network, const Ip& ip) const {
  for (const Endpoint& endpoint : endpoints_) {
    for (const Prefix& address : endpoint.addresses) {
      if (endpoint.network_id == network && address.ip == ip) return true;
    }
  }
  return false;
}

const StoreOracle::Rest* StoreOracle::rest(const NetworkId& network, const Ip& ip) const {
  for (const Rest& rest : resting_) {
    if (rest.network_id == network && rest.address == ip) return &rest;
  }
  return nullptr;
}

void StoreOracle::release(const Endpoint& endpoint) {
  for (const Prefix& address : endpoint.addresses) {
    resting_.push_back({endpoint.network_id, address.ip, now_ + kRest});
  }
}

StoreOracle::Refusal StoreOracle::operate(const DetachEndpoint& op) {
  const Endpoint* found = by_id(endpoints_, op.id);
  if (found == nullptr) return std::nullopt;
  if (!op.node_id.empty() && found->node_id != op.node_id) return ErrorClass::kPermissionDenied;
  release(*found);
  std::erase_if(endpoints_, [&](const Endpoint& endpoint) { return endpoint.id == op.id; });
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::operate(const CreateNode& op) {
  if (by_id(nodes_, op.node.id) != nullptr) return ErrorClass::kAlreadyExists;
  for (const RemovedNode& removed : cluster_.removed_nodes) {
    if (removed.id == op.node.id) return ErrorClass::kConflict;
  }
  nodes_.push_back(op.node);
  return std::nullopt;
}

size_t StoreOracle::managers() const {
  return std::count_if(nodes_.begin(), nodes_.end(),
                       [](const Node& node) { return node.spec.role == Role::kManager; });
}

StoreOracle::Refusal StoreOracle::operate(const UpdateNode& op) {
  Node* node = by_id(nodes_, op.id);
  if (node == nullptr) return ErrorClass::kNotFound;
  if (op.spec && op.spec->role == Role::kWorker && node->spec.role == Role::kManager &&
      managers() == 1) {
    return ErrorClass::kConflict;
  }
  if (op.spec) node->spec = *op.spec;
  if (op.status) node->status = *op.status;
  return std::nullopt;
}

StoreOracle::Refusal StoreOracle::operate(const RemoveNode& op) {
  const Node* node = by_id(nodes_, op.id);
  if (node == nullptr) return ErrorClass::kNotFound;
  if (node->spec.role == Role::kManager) return ErrorClass::kConflict;
  if (node->status.state == NodeState::kReady && !op.force) return ErrorClass::kConflict;
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.node_id == op.id) release(endpoint);
  }
  std::erase_if(endpoints_, [&](const Endpoint& endpoint) { return endpoint.node_id == op.id; });
  std::erase_if(nodes_, [&](const Node& other) { return other.id == op.id; });
  cluster_.removed_nodes.push_back({op.id, now_ + cluster_.node_certificate_validity});
  return std::nullopt;
}

std::vector<SubnetUsage> StoreOracle::usage(const Network& network, WallTime now) const {
  std::vector<SubnetUsage> result;
  for (const Subnet& subnet : network.subnets) {
    SubnetUsage usage{subnet.prefix, 0, 0, 0, 0};
    for (const Ip& ip : all_of(subnet.prefix)) {
      if (!givable(subnet, ip)) continue;
      ++usage.size;
      const Rest* resting = rest(network.id, ip);
      if (held(network.id, ip)) {
        ++usage.used;
      } else if (resting != nullptr && resting->until > now) {
        ++usage.quarantined;
      } else {
        ++usage.free;
      }
    }
    result.push_back(usage);
  }
  return result;
}

}  // namespace shoal::manager
