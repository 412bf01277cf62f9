// Truth: what the world did, and the observers that hold what the nodes say against it. Nothing
// here asks a core: only what the world did to a node, and what that node told its consumer.
//
//   old value    a node never shows an older value of an entry than it has shown
//   resurrected  what was deleted, and whose removal a node was told, it never shows again
//   invented     nobody shows what its owner never said
//   unseen       a removal names something shown
//   equal        when all is quiet, every live node shows the same, and exactly what is announced
//   withdrawn    what its owner has not deleted is not removed while the owner is live there
// and counted, as it is a matter of how often:
//   failed       a node is declared failed that could be reached (below), by one that held it for
//                live: who first hears of a node as of one that failed takes over what is known
//   withdrawn    within Rules::news of the owner's start, when half of what it says may be lost, or
//                of the moment that the node was told of that start, if it was cut off meanwhile
//
// A removal counts as the deletion, rather than a hiding, when the node that was told holds the
// owner for live and is itself in the network, and the world has that version deleted: taken back,
// its owner's network left, or its owner's process ended.
//
// Who may be believed failed: b by a, when within the last Rules::window b was down, or a was, or
// a and b had no two-way path, direct or over three common members. With Rules::excuse_starved
// also when one of them was starved in that time. All else is a false failure.
//
// An entry's versions are its number of puts; of a network, an owner and a key.
//
// A change that is followed is over at a node as soon as nothing older is shown there:
//   a put       when the node shows it or something newer, or shows nothing when it is deleted
//   a deletion  when the node shows nothing of the entry; should it show what was deleted even
//               later, it is one that missed the deletion, from the deletion on
// A node is asked for the changes made since it joined. What
// was announced before that and by nodes that stay is its joining, followed as one thing.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "gossip/swim/member.h"
#include "tests/sim/gossip/net.h"

namespace shoal::gossip::sim {

struct Rules {
  // So long after its start it may take until all of a node's joinings are known everywhere.
  Duration news = std::chrono::seconds(10);
  Duration window = std::chrono::seconds(6);
  bool excuse_starved = false;
};

class Truth {
 public:
  using Entry = uint32_t;

  Truth(size_t nodes, const Net& net) : net_(net), nodes_(nodes) {}

  void set_rules(const Rules& rules) { rules_ = rules; }
  // From now on each change is followed until every node that was up shows it.
  void follow_changes(bool follow) { follow_ = follow; }
  void follow_deaths(bool follow) { follow_deaths_ = follow; }

  // What the world does.
  void up(uint32_t node, Instant now);
  void down(uint32_t node, Instant now);
  void starve(uint32_t node, bool starved, Instant now);
  void join(uint32_t node, uint32_t network, Instant now);
  void leave(uint32_t node, uint32_t network, Instant now);
  uint64_t put(uint32_t node, uint32_t network, uint32_t key,
               Instant now);  // the value to announce
  void erase(uint32_t node, uint32_t network, uint32_t key, Instant now);

  // What a node tells its consumer.
  void shown(uint32_t at, uint32_t network, uint32_t owner, uint32_t key, uint64_t value,
             Instant now);
  void removed(uint32_t at, uint32_t network, uint32_t owner, uint32_t key, Instant now);
  void member(uint32_t at, uint32_t other, MemberState state, Instant now);

  // Whether every running node believes in exactly the running ones, and shows exactly what they
  // announce in its networks. O(nodes).
  bool settled() const;
  // Where not, in words; empty when settled.
  std::string difference() const;
  // The first broken rule, in words.
  const std::string& violation() const { return violation_; }

  bool is_up(uint32_t node) const { return nodes_[node].up; }
  bool is_joined(uint32_t node, uint32_t network) const;
  // Whether `at` told its consumer that `other` is alive or suspect, last.
  bool holds_live(uint32_t at, uint32_t other) const;
  // The live entries of a node, as (network, key).
  std::vector<std::pair<uint32_t, uint32_t>> announced(uint32_t node) const;
  size_t running() const { return running_; }

  struct Counts {
    uint64_t false_failures = 0;  // declarations
    uint64_t false_victims = 0;   // different nodes, each once per life
    uint64_t suspicions = 0;      // of nodes that run
    uint64_t withdrawn = 0;       // live entries, in all
    uint64_t unfinished = 0;      // changes some node never showed, when taken
  };
  const Counts& counts() const { return counts_; }
  // The first of these, in words.
  const std::string& first_false() const { return first_false_; }
  // Seconds from a change until the last node showed it; those still missing count as until now.
  std::vector<double> take_changes(Instant now);
  // Seconds from a joining until the node showed all that was announced then, as long as it was;
  // those still missing something count as until now.
  std::vector<double> take_joinings(Instant now);
  // The change that took longest, in words; empty when there was none.
  const std::string& slowest() const { return slowest_; }
  // Seconds from a death until the last node knew of it, and of every single node.
  std::vector<double> take_deaths(Instant now);
  std::vector<double> take_single_deaths() { return std::exchange(single_deaths_, {}); }

 private:
  static constexpr uint32_t kEverybody = UINT32_MAX;
  static constexpr int kStateBits = 3;
  static constexpr uint8_t kStateMask = (1 << kStateBits) - 1;
  static constexpr uint8_t kLives = 1 << (8 - kStateBits);
  struct Change {
    uint64_t level = 0;  // 2 * version for a put, one more for its deletion
    Instant since;
    size_t missing = 0;
    uint64_t number = 0;
    uint32_t only = kEverybody;  // or the one node that is asked for it
  };
  struct Fact {
    uint32_t network = 0;
    uint32_t owner = 0;
    uint32_t key = 0;
    uint64_t version = 0;  // the last put
    uint64_t dead = 0;     // versions up to this one are deleted
    Instant died;          // when the last of these was
    std::vector<Change> following;

    bool live() const { return version > dead; }
    uint64_t level() const { return live() ? 2 * version : 2 * version + 1; }
  };
  // What a node showed of an entry.
  struct Shown {
    uint32_t value = 0;  // 0: not shown
    uint32_t floor = 0;  // nothing below may be shown
    uint32_t gone = 0;   // up to here it was told that it is deleted
    uint32_t level = 0;
  };
  struct Joined {
    uint32_t network = 0;
    uint64_t from = 0;  // the first change it is asked for
    Instant since;
    std::unordered_map<Entry, uint64_t> lacking;  // levels
  };
  struct Observed {
    bool up = false;
    bool starved = false;
    bool victim = false;
    Instant since{INT64_MIN / 2};  // its start
    Instant down_until{INT64_MIN / 2};
    Instant starved_until{INT64_MIN / 2};
    uint64_t deaths = 0;  // its number of the death that is followed, plus one
    uint8_t life = 0;     // of its processes, some low bits of the number
    std::vector<Joined> networks;
    std::vector<Entry> own;
    std::vector<Shown> entries;    // by Entry
    std::vector<uint8_t> members;  // MemberState + 1; 0: never heard of; and the life told of
    std::unordered_map<uint32_t, Instant> met;  // who was told to be live, in another life
    uint64_t shown_print = 0;                   // of all it shows
    uint64_t members_print = 0;                 // of all it holds for live
  };
  struct Death {
    uint32_t node = 0;
    Instant since;
    size_t missing = 0;
  };

  Entry entry(uint32_t network, uint32_t owner, uint32_t key);
  Shown& shown_of(uint32_t at, Entry entry);
  void kill(Entry entry, Instant now, bool follow);
  void follow(Fact& fact, Entry entry, Instant now);
  void caught_up(uint32_t at, Entry entry, uint64_t level, Instant now);
  void finished(uint32_t at, Entry entry, const Change& change, Instant now);
  void lacks_no_more(Joined& joined, Entry entry, uint64_t level, Instant now);
  // Null when the node is not in the network.
  template <typename Node>
  static auto* joining(Node& node, uint32_t network) {
    const auto it = std::ranges::find(node.networks, network, &Joined::network);
    return it == node.networks.end() ? nullptr : &*it;
  }
  void forgive(uint32_t node, Instant now);
  void failed(uint32_t at, uint32_t other, Instant now);
  bool is_new(uint32_t at, uint32_t owner, Instant now) const;
  bool may_fail(uint32_t at, uint32_t other, Instant now) const;
  uint64_t expected_print(const Observed& node) const;
  std::string in_words(uint32_t at, const std::string& what, Entry entry, Instant now) const;
  void broken(uint32_t at, const std::string& what, Entry entry, Instant now);
  std::vector<uint32_t> running_nodes() const;

  const Net& net_;
  Rules rules_;
  std::vector<Observed> nodes_;
  std::vector<Fact> facts_;
  std::unordered_map<uint64_t, Entry> entries_;
  std::unordered_map<uint32_t, uint64_t> network_prints_;  // of what is announced
  uint64_t running_print_ = 0;
  size_t running_ = 0;
  bool follow_ = false;
  bool follow_deaths_ = false;
  uint64_t changes_made_ = 0;
  std::vector<double> changes_;
  std::vector<double> joinings_;
  double slowest_s_ = 0;
  std::string slowest_;
  std::vector<Death> deaths_;
  std::vector<double> done_deaths_;
  std::vector<double> single_deaths_;
  Counts counts_;
  std::string violation_;
  std::string first_false_;
};

}  // namespace shoal::gossip::sim
