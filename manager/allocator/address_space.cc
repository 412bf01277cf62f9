#include "manager/allocator/address_space.h"

#include <algorithm>
#include <iterator>

#include "base/types/check.h"
#include "manager/allocator/subnet_plan.h"

namespace shoal::manager {
namespace {

std::string family_name(Family family) { return family == Family::kV4 ? "IPv4" : "IPv6"; }

uint64_t saturate(unsigned __int128 number) {
  return number > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(number);
}

// The addresses of a subnet that are never given, inside `part` of it.
std::set<Ip> reserved_in(const Subnet& subnet, const Prefix& part) {
  std::set<Ip> candidates{subnet.gateway, subnet.prefix.first(), subnet.prefix.last()};
  for (const auto& [name, ip] : subnet.aux_addresses) candidates.insert(ip);
  std::erase_if(candidates, [&](const Ip& ip) {
    return !part.contains(ip) || reserved_as(subnet, ip).empty();
  });
  return candidates;
}

// Whole seconds, rounded up: at that time it is surely over.
std::string seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

AddressSpace::AddressSpace(const Network& network)
    : network_id_(network.id), name_(network.spec.name) {
  for (const Subnet& subnet : network.subnets) subnets_.push_back(make_state(subnet));
}

AddressSpace::SubnetState AddressSpace::make_state(const Subnet& subnet) {
  SubnetState state;
  state.subnet = subnet;
  state.window = subnet.ip_range.value_or(subnet.prefix);
  const std::set<Ip> reserved = reserved_in(subnet, subnet.prefix);
  for (const Ip& ip : reserved) state.busy.insert(ip.number());
  state.all.size = saturate(subnet.prefix.size() - reserved.size());
  state.drawn.size = saturate(state.window.size() - reserved_in(subnet, state.window).size());
  return state;
}

const AddressSpace::SubnetState* AddressSpace::find(const Ip& ip) const {
  const auto it = std::find_if(subnets_.begin(), subnets_.end(), [&](const SubnetState& state) {
    return state.subnet.prefix.contains(ip);
  });
  return it == subnets_.end() ? nullptr : &*it;
}

AddressSpace::SubnetState& AddressSpace::at(const Ip& ip) {
  const auto it = std::find_if(subnets_.begin(), subnets_.end(), [&](const SubnetState& state) {
    return state.subnet.prefix.contains(ip);
  });
  SHOAL_CHECK(it != subnets_.end(), "an address is used in the network of its subnet only");
  return *it;
}

Result<AddressSpace::Choice> AddressSpace::choose(std::span<const Ip> requested,
                                                  WallTime now) const {
  Choice choice;
  for (const Ip& ip : requested) SHOAL_TRY(choose_requested(ip, now));
  for (const Family family : {Family::kV4, Family::kV6}) {
    const bool has_subnet = std::any_of(
        subnets_.begin(), subnets_.end(),
        [family](const SubnetState& state) { return state.window.ip.family() == family; });
    const auto asked = std::find_if(requested.begin(), requested.end(),
                                    [family](const Ip& ip) { return ip.family() == family; });
    if (asked != requested.end()) {
      choice.addresses.push_back({*asked, find(*asked)->subnet.prefix.length});
    } else if (has_subnet) {
      SHOAL_TRY(draw(family, now, choice));
    }
  }
  for (const Prefix& address : choice.addresses) {
    if (quarantined_.contains(address.ip)) choice.recalled.push_back(address.ip);
  }
  return choice;
}

Status AddressSpace::choose_requested(const Ip& ip, WallTime now) const {
  const std::string what = "address " + ip.str() + " of network \"" + name_ + "\" ";
  const SubnetState* state = find(ip);
  if (state == nullptr) {
    std::string names;
    for (const SubnetState& other : subnets_) {
      if (other.window.ip.family() != ip.family()) continue;
      names += (names.empty() ? "" : ", ") + other.subnet.prefix.str();
    }
    if (names.empty()) {
      return invalid_argument("address " + ip.str() + " cannot be given: network \"" + name_ +
                              "\" has no " + family_name(ip.family()) + " subnet");
    }
    return invalid_argument("address " + ip.str() + " is not inside a subnet of network \"" +
                            name_ + "\" (" + names + ")");
  }
  if (const std::string reserved = reserved_as(state->subnet, ip); !reserved.empty()) {
    return invalid_argument(what + "is " + reserved + ": ask for another");
  }
  if (const Endpoint* endpoint = holder(ip)) {
    return already_exists(what + "is held by endpoint \"" + endpoint->spec.name +
                          "\": ask for another, or detach that endpoint first");
  }
  if (const auto until = quarantined_until(ip); until && *until > now) {
    return conflict(what + "was released and rests for another " + seconds(*until - now) +
                    ": ask for another, or try again then");
  }
  return ok_status();
}

Status AddressSpace::draw(Family family, WallTime now, Choice& choice) const {
  for (const SubnetState& state : subnets_) {
    if (state.window.ip.family() != family) continue;
    const auto ip = next_free(state, now);
    if (!ip) continue;
    choice.addresses.push_back({*ip, state.subnet.prefix.length});
    choice.cursors.push_back({network_id_, state.subnet.prefix, ip->plus(1)});
    return ok_status();
  }
  return full(family, now);
}

std::optional<Ip> AddressSpace::next_free(const SubnetState& state, WallTime now) const {
  const auto first = state.window.first().number();
  const auto last = state.window.last().number();
  const bool has_next = state.next && state.in_window(*state.next);
  auto number = state.busy.next_missing(has_next ? state.next->number() : first, last);
  if (!number) number = state.busy.next_missing(first, last);
  if (number) return Ip::from_number(state.window.ip.family(), *number);
  // All that is left is what rests; the one released first may have rested enough.
  if (state.resting.empty() || state.resting.begin()->first > now) return std::nullopt;
  return state.resting.begin()->second;
}

Error AddressSpace::full(Family family, WallTime now) const {
  Count sum;
  std::string ranges;
  std::optional<WallTime> next;
  for (const SubnetState& state : subnets_) {
    if (state.window.ip.family() != family) continue;
    sum.size += state.drawn.size;
    sum.used += state.drawn.used;
    sum.quarantined += state.drawn.quarantined;
    if (state.subnet.ip_range) ranges += (ranges.empty() ? "" : ", ") + state.window.str();
    if (state.resting.empty()) continue;
    const WallTime until = state.resting.begin()->first;
    next = next ? std::min(*next, until) : until;
  }
  std::string message = "network \"" + name_ + "\" has no free " + family_name(family) +
                        " address" + (ranges.empty() ? "" : " in its ip-range (" + ranges + ")") +
                        ": " + std::to_string(sum.size) + " addresses, " +
                        std::to_string(sum.used) + " used, " + std::to_string(sum.quarantined) +
                        " quarantined, 0 free; ";
  if (next) {
    message += "the first quarantined one is free again in " + seconds(*next - now) + "; ";
  }
  return resource_exhausted(message +
                            "detach endpoints or create the network with a larger --subnet");
}

void AddressSpace::take(const Ip& ip, const Endpoint* holder) {
  SubnetState& state = at(ip);
  SHOAL_CHECK(!state.busy.contains(ip.number()), "an address has one holder");
  state.busy.insert(ip.number());
  holders_.emplace(ip, holder);
  ++state.all.used;
  if (state.in_window(ip)) ++state.drawn.used;
}

void AddressSpace::release(const Ip& ip) {
  SubnetState& state = at(ip);
  SHOAL_CHECK(holders_.erase(ip) == 1, "what is released was held");
  state.busy.erase(ip.number());
  --state.all.used;
  if (state.in_window(ip)) --state.drawn.used;
}

void AddressSpace::quarantine(const Ip& ip, WallTime until) {
  SubnetState& state = at(ip);
  SHOAL_CHECK(!state.busy.contains(ip.number()), "what rests is free of holders");
  state.busy.insert(ip.number());
  quarantined_.emplace(ip, until);
  ++state.all.quarantined;
  if (state.in_window(ip)) ++state.drawn.quarantined;
  (state.in_window(ip) ? state.resting : state.resting_outside).emplace(until, ip);
}

void AddressSpace::expire(const Ip& ip) {
  SubnetState& state = at(ip);
  const auto it = quarantined_.find(ip);
  SHOAL_CHECK(it != quarantined_.end(), "what expires was quarantined");
  (state.in_window(ip) ? state.resting : state.resting_outside).erase({it->second, ip});
  quarantined_.erase(it);
  state.busy.erase(ip.number());
  --state.all.quarantined;
  if (state.in_window(ip)) --state.drawn.quarantined;
}

void AddressSpace::set_cursor(const Prefix& subnet, const Ip& next) {
  at(subnet.first()).next = next;
}

const Endpoint* AddressSpace::holder(const Ip& ip) const {
  const auto it = holders_.find(ip);
  return it == holders_.end() ? nullptr : it->second;
}

std::optional<WallTime> AddressSpace::quarantined_until(const Ip& ip) const {
  const auto it = quarantined_.find(ip);
  return it == quarantined_.end() ? std::nullopt : std::optional(it->second);
}

bool AddressSpace::can_be_given(const Ip& ip) const {
  const SubnetState* state = find(ip);
  return state != nullptr && reserved_as(state->subnet, ip).empty();
}

std::vector<AddressCursor> AddressSpace::cursors() const {
  std::vector<AddressCursor> result;
  for (const SubnetState& state : subnets_) {
    if (state.next) result.push_back({network_id_, state.subnet.prefix, *state.next});
  }
  return result;
}

std::vector<SubnetUsage> AddressSpace::usage(WallTime now) const {
  std::vector<SubnetUsage> result;
  for (const SubnetState& state : subnets_) {
    uint64_t over = 0;
    for (const Resting* resting : {&state.resting, &state.resting_outside}) {
      for (auto it = resting->begin(); it != resting->end() && it->first <= now; ++it) ++over;
    }
    const uint64_t quarantined = state.all.quarantined - over;
    result.push_back({state.subnet.prefix, state.all.size, state.all.used, quarantined,
                      state.all.size - state.all.used - quarantined});
  }
  return result;
}

}  // namespace shoal::manager
