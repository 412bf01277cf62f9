// NameTable: which names and addresses the endpoints of this host's networks have, local and remote
// alike, and what a namespace may see of them.
//
// A name is looked up for an asker that is attached to some networks, in attach order:
//   1. the whole name, among endpoint names, aliases and short ids of every attached network;
//      addresses of the first network that has one of the asked family;
//   2. `<name>.<network>`, at every split point from the right (dots are legal in both).
// A name that exists without an address of the family is kNoData: answered empty, never forwarded.
// Nothing of a network the asker is not attached to is ever told.
//
// Case is ignored. A lookup costs one hash probe per network and no allocation once `Answer` has
// grown. Not thread-safe: the strand owns it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/types/id.h"
#include "base/types/ip.h"
#include "worker/dns/codec/name.h"

namespace shoal::worker::dns {

struct NameEntry {
  NetworkId network;
  std::string network_name;
  std::string key;   // of the entry inside its network: an endpoint id, or a service's
  std::string name;  // what PTR answers; may be empty
  std::vector<std::string> aliases;
  std::string short_id;  // the first 12 characters of the endpoint id; may be empty
  std::vector<Ip> ips;   // both families

  friend bool operator==(const NameEntry&, const NameEntry&) = default;
};

enum class Found { kUnknown, kNoData, kAnswer };

struct Answer {
  std::vector<Ip> addresses;
  std::vector<Name> names;
};

class NameTable {
 public:
  // As many addresses as a 64 KiB answer can hold of the larger family (28 bytes each).
  static constexpr size_t kMaxAddresses = 2300;
  // One address has one owner; a few more while gossip settles.
  static constexpr size_t kMaxReverseNames = 8;

  NameTable();
  ~NameTable();
  NameTable(NameTable&&) noexcept;
  NameTable& operator=(NameTable&&) noexcept;

  // Adds the entry or replaces the one with its (network, key). Names that cannot be domain names
  // are kept out of the index; the others of the entry are served. The network is known by the
  // network_name of the entry put last.
  void upsert(NameEntry entry);
  // False when there was none.
  bool remove(const NetworkId& network, std::string_view key);
  // All entries of a network that left this host.
  void remove_network(const NetworkId& network);
  size_t size() const { return size_; }

  // Addresses of `name`: `want_v4`, `want_v6` or both, in an order drawn from `random`. `out` is
  // replaced.
  Found lookup(std::span<const NetworkId> networks, const Name& name, bool want_v4, bool want_v6,
               uint64_t random, Answer& out) const;
  // Names `<endpoint>.<network>` of an address known in one of the networks. kNoData: the address
  // is known and its owner has no name.
  Found reverse(std::span<const NetworkId> networks, const Ip& ip, Answer& out) const;

 private:
  struct Network;

  std::unordered_map<NetworkId, std::unique_ptr<Network>> networks_;
  size_t size_ = 0;
};

}  // namespace shoal::worker::dns
