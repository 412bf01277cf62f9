#include "worker/local/book.h"

#include <algorithm>

#include "base/types/check.h"
#include "manager/allocator/subnet_plan.h"
#include "manager/rules/rules.h"

namespace shoal::worker {
namespace {

constexpr size_t kToldEndpoints = 3;  // in a refusal; the rest is counted

std::string told(std::string_view text) { return "\"" + manager::printable(text) + "\""; }

}  // namespace

Status Book::check_new(const manager::NetworkSpec& spec, const Driver& driver) const {
  SHOAL_TRY(manager::check_network_spec(spec));
  SHOAL_TRY(driver.validate(spec));
  if (networks_.size() >= kMaxLocalNetworks) {
    return resource_exhausted("this host has " + std::to_string(kMaxLocalNetworks) +
                              " networks of its own, which is as many as it can have");
  }
  for (const auto& [id, entry] : networks_) {
    if (entry.network.spec.name != spec.name) continue;
    return already_exists("this host has a network " + told(spec.name) + " already");
  }
  return ok_status();
}

Status Book::check_bridge(const manager::Network& network, const Driver& driver) const {
  const std::string bridge = driver.network(network).bridge.name;
  for (const auto& [id, entry] : networks_) {
    if (entry.driver->network(entry.network).bridge.name != bridge) continue;
    return conflict("the bridge " + bridge + " is that of network " +
                    told(entry.network.spec.name) + ": give another name");
  }
  return ok_status();
}

Result<manager::Network> Book::create(const manager::NetworkSpec& spec, const NetworkId& id,
                                      WallTime now, std::span<const Prefix> avoid) {
  const Driver* const driver = find_driver(spec.driver);
  if (driver == nullptr) {
    return unimplemented("driver " + told(spec.driver) + " is not supported yet: use \"bridge\"");
  }
  SHOAL_TRY(check_new(spec, *driver));
  const manager::NetworkSpec whole = SHOAL_TRY(draw_subnets(spec, pools_, index_, avoid));
  manager::Network network;
  network.id = id;
  network.spec = spec;
  network.spec.ipv6 =
      std::any_of(whole.subnets.begin(), whole.subnets.end(),
                  [](const manager::SubnetSpec& subnet) { return subnet.subnet->ip.is_v6(); });
  network.subnets = SHOAL_TRY(manager::plan_subnets(whole, manager::Pools(), index_, {}));
  network.created_at = now;
  network.updated_at = now;
  SHOAL_TRY(check_bridge(network, *driver));
  add(network, *driver);
  return network;
}

void Book::add(manager::Network network, const Driver& driver) {
  for (const manager::Subnet& subnet : network.subnets) {
    index_.add(subnet.prefix, network.spec.name);
  }
  Entry entry;
  entry.space = std::make_unique<manager::AddressSpace>(network);
  entry.driver = &driver;
  entry.network = std::move(network);
  const NetworkId id = entry.network.id;
  networks_.emplace(id, std::move(entry));
}

Status Book::remove(const NetworkId& id) {
  const auto found = networks_.find(id);
  if (found == networks_.end()) return not_found("this host has no network " + id.str());
  const Entry& entry = found->second;
  if (!entry.endpoints.empty()) {
    std::string names;
    size_t count = 0;
    for (const auto& [endpoint, holder] : entry.endpoints) {
      if (++count > kToldEndpoints) break;
      names += (names.empty() ? "" : ", ") + holder.spec.name;
    }
    if (entry.endpoints.size() > kToldEndpoints) {
      names += " and " + std::to_string(entry.endpoints.size() - kToldEndpoints) + " more";
    }
    return conflict("network " + told(entry.network.spec.name) + " is in use by " + names +
                    ": detach them first");
  }
  for (const manager::Subnet& subnet : entry.network.subnets) index_.remove(subnet.prefix);
  networks_.erase(found);
  return ok_status();
}

bool Book::has_name(const Entry& entry, std::string_view name) {
  return entry.names.contains(manager::folded(name));
}

void Book::hold(Entry& entry, const manager::Endpoint& endpoint) {
  const manager::Endpoint& holder = entry.endpoints.emplace(endpoint.id, endpoint).first->second;
  entry.names.insert(manager::folded(endpoint.spec.name));
  homes_.emplace(endpoint.id, entry.network.id);
  for (const Prefix& address : holder.addresses) entry.space->take(address.ip, &holder);
}

Result<manager::Endpoint> Book::lease(const NetworkId& network, const EndpointId& id,
                                      const manager::EndpointSpec& spec, const Mac& mac,
                                      WallTime now) {
  const auto found = networks_.find(network);
  if (found == networks_.end()) return not_found("this host has no network " + network.str());
  Entry& entry = found->second;
  SHOAL_TRY(manager::check_endpoint_spec(spec));
  if (has_name(entry, spec.name)) {
    return already_exists("network " + told(entry.network.spec.name) + " has an endpoint " +
                          told(spec.name) + " already: choose another name");
  }
  if (entry.endpoints.size() >= entry.driver->most_endpoints()) {
    return resource_exhausted("network " + told(entry.network.spec.name) + " has " +
                              std::to_string(entry.endpoints.size()) +
                              " endpoints, which is as many as a network of driver " +
                              told(entry.driver->name()) + " can have");
  }
  const auto choice = SHOAL_TRY(entry.space->choose(spec.addresses, now));
  manager::Endpoint endpoint;
  endpoint.id = id;
  endpoint.network_id = network;
  endpoint.spec = spec;
  endpoint.addresses = choice.addresses;
  endpoint.mac = mac;
  endpoint.created_at = now;
  hold(entry, endpoint);
  for (const manager::AddressCursor& cursor : choice.cursors) {
    entry.space->set_cursor(cursor.subnet, cursor.next);
  }
  return endpoint;
}

void Book::release(const EndpointId& id) {
  const auto home = homes_.find(id);
  if (home == homes_.end()) return;
  Entry& entry = networks_.at(home->second);
  const auto holder = entry.endpoints.find(id);
  for (const Prefix& address : holder->second.addresses) entry.space->release(address.ip);
  entry.names.erase(manager::folded(holder->second.spec.name));
  entry.endpoints.erase(holder);
  homes_.erase(home);
}

Status Book::restore(const manager::Network& network) {
  const Driver* const driver = find_driver(network.spec.driver);
  const auto impossible = [&](const std::string& why) {
    return data_loss("network " + network.id.str() + " cannot be: " + why);
  };
  if (driver == nullptr) return impossible("driver " + told(network.spec.driver) + " is not known");
  if (const Status valid = check_new(network.spec, *driver); !valid) {
    return impossible(valid.error().message);
  }
  if (networks_.contains(network.id) || network.subnets.empty()) {
    return impossible(network.subnets.empty() ? "it has no subnet" : "it is there twice");
  }
  manager::NetworkSpec whole = network.spec;
  whole.subnets.clear();
  for (const manager::Subnet& subnet : network.subnets) {
    whole.subnets.push_back(
        {subnet.prefix, subnet.gateway, subnet.ip_range, subnet.aux_addresses, {}});
  }
  const auto planned = manager::plan_subnets(whole, manager::Pools(), index_, {});
  if (!planned) return impossible(planned.error().message);
  if (*planned != network.subnets) return impossible("its subnets are not in their form");
  if (const Status own = check_bridge(network, *driver); !own) {
    return impossible(own.error().message);
  }
  add(network, *driver);
  return ok_status();
}

Status Book::restore(const manager::Endpoint& endpoint) {
  const auto impossible = [&](const std::string& why) {
    return data_loss("endpoint " + endpoint.id.str() + " cannot be: " + why);
  };
  const auto found = networks_.find(endpoint.network_id);
  if (found == networks_.end()) return impossible("this host has not got its network");
  Entry& entry = found->second;
  if (homes_.contains(endpoint.id) || has_name(entry, endpoint.spec.name)) {
    return impossible("it is there twice");
  }
  for (const Prefix& address : endpoint.addresses) {
    if (entry.space->holder(address.ip) != nullptr || !entry.space->can_be_given(address.ip)) {
      return impossible(address.ip.str() + " is not to be given");
    }
  }
  hold(entry, endpoint);
  return ok_status();
}

const manager::Network* Book::network(const NetworkId& id) const {
  const auto found = networks_.find(id);
  return found == networks_.end() ? nullptr : &found->second.network;
}

const Driver& Book::driver(const NetworkId& id) const {
  const auto found = networks_.find(id);
  SHOAL_CHECK(found != networks_.end(), "asked for the driver of a network that is there");
  return *found->second.driver;
}

Result<const manager::Network*> Book::find_network(std::string_view reference) const {
  if (const manager::Network* const by_id = network(NetworkId(reference))) return by_id;
  const manager::Network* found = nullptr;
  size_t matches = 0;
  for (const auto& [id, entry] : networks_) {
    if (entry.network.spec.name == reference) return &entry.network;
    if (reference.empty() || !id.view().starts_with(reference)) continue;
    found = &entry.network;
    ++matches;
  }
  if (matches == 1) return found;
  if (matches > 1) {
    return invalid_argument("several networks of this host have ids that begin with " +
                            told(reference) + ": write more of it");
  }
  return not_found("this host has no network " + told(reference));
}

std::vector<const manager::Network*> Book::networks() const {
  std::vector<const manager::Network*> out;
  for (const auto& [id, entry] : networks_) out.push_back(&entry.network);
  return out;
}

std::vector<const manager::Endpoint*> Book::endpoints_of(const NetworkId& network) const {
  std::vector<const manager::Endpoint*> out;
  const auto found = networks_.find(network);
  if (found == networks_.end()) return out;
  for (const auto& [id, endpoint] : found->second.endpoints) out.push_back(&endpoint);
  return out;
}

std::vector<manager::SubnetUsage> Book::usage(const NetworkId& network, WallTime now) const {
  const auto found = networks_.find(network);
  if (found == networks_.end()) return {};
  return found->second.space->usage(now);
}

}  // namespace shoal::worker
