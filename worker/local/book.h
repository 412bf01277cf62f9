// Book: the networks that this host has for itself and who holds which of their addresses. What
// managers decide for overlays is decided here, by the same arithmetic, for one host.
//
// Invariants
//   - subnets of two networks never overlap, nor do a drawn one and what it was told to avoid
//   - an address and, whatever its case, a name is held by one endpoint of its network
//   - a refusal changes nothing
//
// An address is free as soon as it is released: what remembers its last holder is on this host, and
// is told of the next when that is attached. Addresses are drawn in turn all the same.
//
// Pure; one thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "base/types/time.h"
#include "manager/allocator/address_space.h"
#include "manager/allocator/subnet_index.h"
#include "manager/model/objects.h"
#include "worker/drivers/driver.h"
#include "worker/local/pools.h"

namespace shoal::worker {

// Each is a bridge of this host; Docker's pools hold 31, subnets given by hand as many as wanted.
inline constexpr size_t kMaxLocalNetworks = 4096;

class Book {
 public:
  explicit Book(std::vector<LocalPool> pools) : pools_(std::move(pools)) {}

  // `avoid`: routes of the host and subnets of the cluster. Subnets asked for are refused when they
  // overlap a network of this host; one of the host's routes they may (as Docker's may): whoever
  // names a subnet knows why. kInvalidArgument, kAlreadyExists (the name), kConflict (overlap, a
  // bridge that another network has), kResourceExhausted.
  Result<manager::Network> create(const manager::NetworkSpec& spec, const NetworkId& id,
                                  WallTime now, std::span<const Prefix> avoid);
  // kConflict while it has endpoints, naming some.
  Status remove(const NetworkId& id);

  // One address of each family of the network, as `spec` asks. kInvalidArgument, kAlreadyExists
  // (the name, an address that is held), kResourceExhausted.
  Result<manager::Endpoint> lease(const NetworkId& network, const EndpointId& id,
                                  const manager::EndpointSpec& spec, const Mac& mac, WallTime now);
  // What is not held is released.
  void release(const EndpointId& id);

  // Puts back what was written down. kDataLoss when it cannot be.
  Status restore(const manager::Network& network);
  Status restore(const manager::Endpoint& endpoint);

  const manager::Network* network(const NetworkId& id) const;
  const Driver& driver(const NetworkId& id) const;  // of a network that is there
  // By id, name, or unique prefix of an id (in this order). kNotFound, or kInvalidArgument when
  // several ids begin so.
  Result<const manager::Network*> find_network(std::string_view reference) const;
  std::vector<const manager::Network*> networks() const;                               // by id
  std::vector<const manager::Endpoint*> endpoints_of(const NetworkId& network) const;  // by id
  std::vector<manager::SubnetUsage> usage(const NetworkId& network, WallTime now) const;
  const std::vector<LocalPool>& pools() const { return pools_; }
  // Of networks that are made from now on.
  void set_pools(std::vector<LocalPool> pools) { pools_ = std::move(pools); }

 private:
  struct Entry {
    manager::Network network;
    const Driver* driver = nullptr;
    std::unique_ptr<manager::AddressSpace> space;
    std::map<EndpointId, manager::Endpoint> endpoints;  // the holders of `space`
    std::set<std::string> names;                        // theirs, folded
  };

  Status check_new(const manager::NetworkSpec& spec, const Driver& driver) const;
  Status check_bridge(const manager::Network& network, const Driver& driver) const;
  void add(manager::Network network, const Driver& driver);
  static bool has_name(const Entry& entry, std::string_view name);
  void hold(Entry& entry, const manager::Endpoint& endpoint);

  std::vector<LocalPool> pools_;
  std::map<NetworkId, Entry> networks_;
  std::map<EndpointId, NetworkId> homes_;
  manager::SubnetIndex index_;
};

}  // namespace shoal::worker
