// Peers: the endpoints of other nodes, as gossip tells them: fed into the name table and kept for
// the data plane. Used on the strand only.
//
// An endpoint of a node that gossip lost is hidden: its names are gone, so that nobody is sent to a
// host that is away, but its way in the data plane stays, because losing a daemon (killed,
// upgraded) must not cut the traffic of its host. It ends when its owner is back without it, when
// the managers remove the owner, or when another endpoint shows one of its addresses.
#pragma once

#include <map>
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
  void hide(const NetworkId& network, const std::string& key, const NodeId& owner);
  // Forgets what is still hidden of `owner`. True when something changed for the data plane.
  bool drop_hidden(const NodeId& owner);
  void remove_network(const NetworkId& network);

  std::vector<RemoteEndpoint> remotes() const;
  size_t size() const;

 private:
  struct Known {
    NodeId owner;
    EndpointRecord record;
    bool hidden = false;
  };

  dns::NameTable& names_;
  Ip self_;
  std::map<NetworkId, std::map<std::string, Known>> networks_;
};

// The name table's entry of an endpoint whose gossip key is `key`.
dns::NameEntry name_entry(const NetworkId& network, const std::string& network_name,
                          const std::string& key, const EndpointRecord& record);

}  // namespace shoal::worker
