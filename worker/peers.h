// Peers: the endpoints of other nodes, as gossip tells them: fed into the name table and kept for
// the data plane. Used on the strand only.
//
// A node that failed may be one whose daemon alone is gone while its endpoints go on. So their
// names are hidden and the data plane keeps the way to them, until the node is back and has not
// announced them again, has left or was removed, or somebody else has the address.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "worker/dns/names/name_table.h"
#include "worker/reconcile/state.h"
#include "worker/session/record.h"

namespace shoal::worker {

class Peers {
 public:
  // `self`: this host's VTEP. Entries that name it are leftovers of an earlier life of this host.
  Peers(dns::NameTable& names, Ip self) : names_(names), self_(std::move(self)) {}

  // True when something changed for the data plane.
  bool upsert(const NetworkId& network, const std::string& network_name, const std::string& key,
              const NodeId& owner, EndpointRecord record);
  bool remove(const NetworkId& network, const std::string& key, const NodeId& owner);
  void remove_network(const NetworkId& network);

  // Told before the entries of that node are removed or come again.
  void set_failed(const NodeId& owner) { failed_.insert(owner); }
  // True when some of its endpoints are hidden; after a while, drop_hidden().
  bool set_alive(const NodeId& owner);
  // Forgets hidden endpoints: of a node that does not come back, of all that are not failed, or
  // that have one of these addresses. True when something changed for the data plane.
  bool drop_node(const NodeId& owner);
  bool drop_hidden();
  bool drop_taken(const NetworkId& network, const std::string& by, const std::vector<Ip>& ips);

  std::vector<RemoteEndpoint> remotes() const;
  size_t size() const;  // those that are not hidden

 private:
  struct Known {
    NodeId owner;
    EndpointRecord record;
    bool hidden = false;
  };
  template <typename Condition>
  bool drop_if(Condition condition);

  dns::NameTable& names_;
  Ip self_;
  std::map<NetworkId, std::map<std::string, Known>> networks_;
  std::set<NodeId> failed_;
};

// The name table's entry of an endpoint whose gossip key is `key`.
dns::NameEntry name_entry(const NetworkId& network, const std::string& network_name,
                          const std::string& key, const EndpointRecord& record);

}  // namespace shoal::worker
