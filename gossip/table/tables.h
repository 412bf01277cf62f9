// Tables: the entries of every joined network, by owner, and of the directory.
//
// The directory is the network everybody is in. Its entries say who joined what: the key is a
// network's id, the owner the node that joined it, the value the epoch of this joining (8 bytes).
// So joining travels, is repaired and ends by the same rules as everything else, and what an owner
// said in a network before it left and joined again is recognised as outdated. Every node begins
// its directory with an entry "node", so that its new start is news even when it joins nothing.
//
// What is held and what is shown differ. An owner's entries in a network are shown (reported as
// events) while the owner is present (alive or suspect) and the directory says it joined. An owner
// that fails is hidden, and shown again when it returns, from what was held; so is what came
// before its joining was known. Only forget() drops. What came before the owner was known at all is
// parked: held for a while, then dropped unless the owner appeared; not part of any digest and not
// passed on, so that nobody gets it back from those it was dropped by.
//
// Each joining of a network and each start of the owner is an epoch of its own: events of a higher
// epoch replace all that was held of lower ones.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/types/deadlines.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "gossip/table/config.h"
#include "gossip/table/peer_list.h"
#include "gossip/table/slot.h"

namespace shoal::gossip {

class Tables {
 public:
  struct Event {
    bool removed = false;
    NetworkId network;
    std::string key;
    NodeId owner;
    Bytes value;  // empty when removed

    friend bool operator==(const Event&, const Event&) = default;
  };
  struct Peer {
    NetworkId network;
    NodeId node;
  };
  // What a peer should be sent, from an exchange.
  struct Difference {
    std::vector<Message> messages;    // EntryEvents and Summaries
    std::vector<OwnerDigest> wanted;  // of what the peer has and we lack
    bool cut = false;                 // the size budget ended it
  };
  struct Counts {
    uint64_t refused = 0;
  };

  // `epoch` as in gossip::Config.
  Tables(const TableConfig& config, const NodeId& self, uint64_t epoch);

  static const NetworkId& directory();

  // Own doings; each makes events for take_own_events().
  void join(const NetworkId& network);
  void leave(const NetworkId& network);
  Status upsert(const NetworkId& network, const std::string& key, Bytes value);
  void remove(const NetworkId& network, const std::string& key);
  std::vector<EntryEvent> take_own_events() { return std::exchange(own_events_, {}); }
  // What take_own_events() will give.
  const std::vector<EntryEvent>& own_events() const { return own_events_; }
  // The directory entry that says this node joined `network`.
  std::optional<EntryEvent> join_event(const NetworkId& network) const;

  // Others' doings. True when the event was news, worth relaying.
  bool receive(const EntryEvent& event, Instant now);
  // `cut`: out of an answer that was cut at its size.
  void receive(const Summary& summary, bool cut, Instant now);

  // Members: present (alive or suspect) or not; until told, an owner is unknown and its entries
  // are parked.
  void set_present(const NodeId& owner, bool present);
  void forget(const NodeId& owner);

  bool joined(const NetworkId& network) const { return networks_.contains(network); }
  // Joined networks, the directory included.
  std::vector<NetworkId> networks() const;
  // Present nodes in a network (not the directory), without this one.
  const std::vector<NodeId>& peers(const NetworkId& network) const;
  // Up to `count` of them, distinct, at random.
  std::vector<NodeId> sample_peers(const NetworkId& network, size_t count, Rng& rng) const;

  // Equal digests: equal contents.
  uint64_t digest(const NetworkId& network) const;
  NetworkState state(const NetworkId& network) const;
  // What the holder of `theirs` lacks, and what we do. `budget` bytes are spent on messages.
  Difference compare(const NetworkState& theirs, size_t& budget);
  // What was wanted.
  Difference serve(const NetworkState& wanted, size_t& budget);

  // Owners whose sequence has had a hole for longer than the grace; each is named once a second.
  std::vector<Peer> overdue_gaps(Instant now);
  Instant next_gap() const { return gaps_.next(); }
  // Drops what is parked for owners that did not appear in time.
  void expire_parked(Instant now);
  Instant next_expiry() const { return parked_until_.next(); }

  // What was hidden and shown again since the last call is only shown: a restarted owner that
  // announces the same things does not flicker.
  std::vector<Event> take_events();
  // Nodes that turned out to be present in a joined network.
  std::vector<Peer> take_new_peers() { return std::exchange(new_peers_, {}); }
  const Counts& counts() const { return counts_; }
  size_t entries() const { return total_; }

 private:
  struct Held {
    Slot slot;
    bool shown = false;
    uint64_t share = 0;  // in the network's digest
  };
  struct Network {
    std::map<NodeId, Held> owners;
    uint64_t hash = 0;
  };
  // Who joined a network, by the directory.
  struct Joiners {
    std::map<NodeId, uint64_t> epochs;  // of each joining
    PeerList present;                   // without this node
  };
  enum class Presence : uint8_t { kUnknown, kPresent, kAbsent };

  Presence presence(const NodeId& owner) const;
  bool should_show(const NetworkId& network, const NodeId& owner) const;
  std::vector<NetworkId> networks_of(const NodeId& owner) const;
  void refresh_peer(const NetworkId& network, const NodeId& owner);
  void refresh_shown(const NetworkId& network, const NodeId& owner);
  void entry_appeared(const NetworkId& id, const NodeId& owner, const Held& held,
                      const std::string& key, const Bytes& value);
  void entry_gone(const NetworkId& id, const NodeId& owner, const Held& held,
                  const std::string& key);
  void directory_changed(const NodeId& owner, const std::string& key,
                         std::optional<uint64_t> epoch);
  Held* held_for(const NetworkId& id, const NodeId& owner, uint64_t epoch, Instant now);
  void drop(const NetworkId& network, const NodeId& owner);
  uint64_t joining_epoch(const NetworkId& network, const NodeId& owner) const;
  void restart(const NetworkId& id, const NodeId& owner, Held& held, uint64_t epoch);
  void clear(const NetworkId& id, const NodeId& owner, Held& held);
  void settle(const NetworkId& id, const NodeId& owner, Held& held, size_t entries_before);
  void own_event(const NetworkId& network, const std::string& key, bool deleted, Bytes value);
  void refound(const NetworkId& network, uint64_t epoch, uint64_t sequence);
  void collect(const NetworkId& network, const NodeId& owner, const Slot& slot, uint64_t since,
               size_t& budget, Difference& out) const;
  Slot::Bounds bounds(const NodeId& owner) const;

  TableConfig config_;
  NodeId self_;
  uint64_t next_epoch_;
  std::map<NetworkId, Network> networks_;
  std::map<NodeId, bool> present_;
  std::map<NetworkId, Joiners> joined_by_;
  Deadlines<std::pair<NetworkId, NodeId>> gaps_;
  size_t total_ = 0;
  size_t parked_ = 0;  // entries of unknown owners, part of total_
  std::map<NodeId, std::set<NetworkId>> parked_in_;
  Deadlines<NodeId> parked_until_;
  std::vector<EntryEvent> own_events_;
  std::vector<Event> events_;
  std::vector<Peer> new_peers_;
  Counts counts_;
};

}  // namespace shoal::gossip
