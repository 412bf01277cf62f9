// Tables: the entries of every joined network, by owner, and of the directory.
//
// The directory is the network everybody is in. Its entries say who joined what: the key is a
// network's id, the owner the node that joined it, the value the epoch of this joining (8 bytes).
// So joining travels, is repaired and ends by the same rules as everything else, and what an owner
// said in a network before it left and joined again is recognised as outdated. Every node begins
// its directory with an entry "node", so that its new start is news even when it joins nothing.
//
// Each network is an OwnedMap (gossip/merkle), whose rules say which event of an owner is news and
// how two replicas become equal. Who joined a network and who is present are Merkle maps too: all
// that grows with the cluster is in trees, which equal replicas of a sharing pool have in common.
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
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ports/ports.h"
#include "base/types/deadlines.h"
#include "base/types/result.h"
#include "base/types/time.h"
#include "gossip/merkle/reconcile.h"
#include "gossip/table/config.h"
#include "gossip/wire/message.h"

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
  struct Counts {
    uint64_t refused = 0;
  };

  // `epoch` as in gossip::Config.
  Tables(const TableConfig& config, const NodeId& self, uint64_t epoch);
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

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

  // Members: present (alive or suspect) or not; until told, an owner is unknown and its entries
  // are parked.
  void set_present(const NodeId& owner, bool present);
  void forget(const NodeId& owner);
  // What the others are known to say, as `image`, a bystander with the same pool, knows it: it has
  // heard all that this node said, too, and is in this node's networks. For one that has heard of
  // nobody yet.
  void restore(const Tables& image);

  bool joined(const NetworkId& network) const { return networks_.contains(network); }
  // Joined networks, the directory included.
  std::vector<NetworkId> networks() const;
  // Of those, what a node is in too.
  std::vector<NetworkId> shared_with(const NodeId& node) const;
  // Present nodes in a network (not the directory), without this one.
  std::vector<NodeId> peers(const NetworkId& network) const;
  size_t peer_count(const NetworkId& network) const;
  // Up to `count` of them, distinct, at random.
  std::vector<NodeId> sample_peers(const NetworkId& network, size_t count, Rng& rng) const;

  // Equal digests: equal contents.
  uint64_t digest(const NetworkId& network) const;
  // Reconciliation (gossip/merkle/reconcile.h) of a joined network: a session and its steps, and
  // the answers to another's.
  merkle::Session begin_session(const NetworkId& network, bool upper) const;
  std::optional<merkle::Message> ask(const NetworkId& network, merkle::Session& session,
                                     size_t budget, Instant now);
  bool receive(const NetworkId& network, merkle::Session& session, const merkle::Message& answer,
               Instant now);
  merkle::Message answer(const NetworkId& network, const merkle::Message& question, size_t budget,
                         Instant now);
  // Entries that came by these, and were news, since the last call.
  std::vector<EntryEvent> take_news() { return std::exchange(news_, {}); }

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
  struct Network {
    merkle::OwnedMap map;
    uint64_t own_epoch = 0;
  };
  enum class Presence : uint8_t { kUnknown, kPresent, kAbsent };
  class Writer;
  // Keeps the counts right over changes of a map.
  class Counting;

  Presence presence(const NodeId& owner) const;
  bool should_show(const NetworkId& network, const NodeId& owner) const;
  std::vector<NetworkId> networks_of(const NodeId& owner) const;
  void mark_peer(const NetworkId& network, const NodeId& owner, bool present);
  void show_all(const NetworkId& network, const NodeId& owner, bool show);
  void entry_appeared(const NetworkId& id, const NodeId& owner, const std::string& key,
                      const Bytes& value);
  void entry_gone(const NetworkId& id, const NodeId& owner, std::string_view key);
  void directory_changed(const NodeId& owner, std::string_view key, std::optional<uint64_t> epoch);
  uint64_t joining_epoch(const NetworkId& network, const NodeId& owner) const;
  bool takes(const NetworkId& network, const NodeId& owner, uint64_t epoch) const;
  merkle::OwnedMap new_map() const;
  // Where an owner's entries are: among the others, or parked. Null when nowhere.
  merkle::OwnedMap* map_of(const NetworkId& network, const NodeId& owner);
  merkle::OwnedMap::Outcome take(const NetworkId& network, const NodeId& owner,
                                 const merkle::Entry& entry, bool of_session, Instant now);
  void restart(const NetworkId& id, const NodeId& owner, const merkle::Head& head);
  void drop(const NetworkId& network, const NodeId& owner);
  void unpark(const NodeId& owner);
  void watch_gap(const NetworkId& id, const NodeId& owner, const merkle::OwnedMap& map,
                 Instant now);
  void own_event(const NetworkId& network, const std::string& key, bool deleted, Bytes value);
  void refound(const NetworkId& network, uint64_t epoch, uint64_t sequence);
  void refound(const NetworkId& network, const merkle::Message& message);

  TableConfig config_;
  NodeId self_;
  uint64_t next_epoch_;
  std::unique_ptr<merkle::Pool> own_pool_;
  merkle::Pool* pool_;
  std::map<NetworkId, Network> networks_;
  std::map<NetworkId, merkle::OwnedMap> parked_;  // entries of unknown owners
  merkle::Map members_;                           // h(node); marked: present
  merkle::Map joiners_;  // h(network), h(node); epoch: of the joining; marked: a present other node
  std::set<NodeId> forgotten_;
  Deadlines<std::pair<NetworkId, NodeId>> gaps_;
  size_t total_ = 0;
  size_t parked_entries_ = 0;  // part of total_
  std::map<NodeId, std::set<NetworkId>> parked_in_;
  Deadlines<NodeId> parked_until_;
  std::vector<EntryEvent> own_events_;
  std::vector<EntryEvent> news_;
  std::vector<Event> events_;
  std::vector<Peer> new_peers_;
  Counts counts_;
};

// In scope while a map changes.
class Tables::Counting {
 public:
  Counting(Tables& tables, const merkle::OwnedMap& map, bool parked)
      : tables_(tables), map_(map), parked_(parked), before_(map.entries()) {}
  ~Counting() {
    const size_t more = map_.entries() - before_;  // modulo
    tables_.total_ += more;
    if (parked_) tables_.parked_entries_ += more;
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;

 private:
  Tables& tables_;
  const merkle::OwnedMap& map_;
  const bool parked_;
  const size_t before_;
};

}  // namespace shoal::gossip
