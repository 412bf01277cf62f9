// Slot: what this node holds of one owner's entries in one network.
//
// The owner numbers its events 1, 2, 3, ... within an epoch. A slot knows all events up to
// `complete` and some beyond (`ahead`). Two rules follow, and make deletions safe for ever:
//   - an event up to `complete` is old news, whatever it says;
//   - among events of one key the highest number wins.
// So a tombstone is needed only while its number is beyond `complete` (a late, lower event of its
// key may still come); as soon as the hole closes it is reaped. There is no timer.
//
// A summary ("up to `through`, these are all the live entries") closes holes without the events
// that made them: what is live here up to `through` and not listed was deleted, and if all that is
// listed is here, `complete` rises to `through`. One out of an answer that was cut removes nothing:
// what is live here and not listed may have been put again beyond the cut. The whole one that
// follows removes what was deleted.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gossip/wire/message.h"

namespace shoal::gossip {

class Slot {
 public:
  struct Entry {
    uint64_t sequence = 0;
    bool deleted = false;
    Bytes value;
  };
  enum class Outcome {
    kApplied,  // the entry is now as the event says
    kOld,      // known or outdated
    kNoted,    // new, but a later event of the key is known: only the number counts
    kTooFar,   // beyond the bound of numbers ahead
    kTooMany,  // beyond the bound of entries
  };
  struct Bounds {
    size_t entries = 0;
    size_t ahead = 0;
  };

  explicit Slot(uint64_t epoch = 0) : epoch_(epoch) {}

  uint64_t epoch() const { return epoch_; }
  uint64_t complete() const { return complete_; }
  // The highest event known.
  uint64_t latest() const { return ahead_.empty() ? complete_ : *ahead_.rbegin(); }
  bool has_gap() const { return !ahead_.empty(); }
  // With tombstones; see for_each_live.
  const std::map<std::string, Entry>& entries() const { return entries_; }
  size_t live() const { return live_; }
  uint64_t live_hash() const { return live_hash_; }
  void for_each_live(const std::function<void(const std::string&, const Entry&)>& visit) const;

  // The event's epoch must be the slot's.
  Outcome apply(const EntryEvent& event, const Bounds& bounds);
  // Removes what the summary says is gone and returns the keys.
  std::vector<std::string> apply(const Summary& summary, bool cut);

 private:
  void raise(uint64_t complete);
  void count_live(const std::string& key, const Entry& entry, bool appears);

  uint64_t epoch_;
  uint64_t complete_ = 0;
  std::set<uint64_t> ahead_;  // known numbers beyond complete_ + 1
  std::map<std::string, Entry> entries_;
  std::map<uint64_t, std::string> tombstones_;  // keys in entries_ that are deleted, by sequence
  size_t live_ = 0;
  uint64_t live_hash_ = 0;  // xor over the live entries of a hash of key and sequence
};

}  // namespace shoal::gossip
