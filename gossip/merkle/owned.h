// OwnedMap: the entries of a scope (a network, say) as a Merkle map, each written by one owner.
//
// An owner numbers its events 1, 2, 3, ... within an epoch. Its head says in which epoch it is and
// up to which event all are known here (`complete`). Three rules make deletions safe for ever:
//   - an event up to `complete` is old news, whatever it says;
//   - among events of one key the highest number wins;
//   - events of a higher epoch replace all that was held of lower ones.
// So a tombstone is needed only while its number is beyond `complete`, and is reaped then.
// There is no timer.
//
// In the map, by path (high half, low half):
//   head       h(owner), 0        id: owner           stamp: complete
//   entry      h(owner), h(key)   id: owner and key   stamp: number of the event
//   tombstone  as an entry, without value, and marked; buried if its number is not its event's
// so that all of an owner is below one prefix of 64 bits, the head first. Owners are of one length
// and keys are not empty, so that ids are unambiguous when hashes collide.
//
// judge() is what two replicas do about one place at which they differ; reconcile.h applies it, by
// an Editor: what holds more than the map (who may write, what is shown) has one of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "gossip/merkle/map.h"

namespace shoal::gossip::merkle {

struct Head {
  std::string owner;
  uint64_t epoch = 0;
  uint64_t complete = 0;

  friend bool operator==(const Head&, const Head&) = default;
};

struct Entry {
  std::string owner;
  uint64_t epoch = 0;
  uint64_t stamp = 0;
  bool deleted = false;
  // Not the event of this number, but what follows from all events up to it: the key is deleted.
  bool buried = false;
  std::string key;
  Bytes value;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// Of Blob::flags(), beside kMarked.
inline constexpr uint8_t kBuried = 0x01;

// What one replica holds at a place, and knows of its owner.
struct Version {
  uint64_t stamp = 0;
  bool deleted = false;
};
struct Knowledge {
  bool known = false;  // has a head of the owner
  uint64_t epoch = 0;
  uint64_t complete = 0;
};

enum class Doing : uint8_t {
  kNothing,
  kWant,  // theirs is news here
  kPush,  // mine is news there
  kBury,  // mine was deleted by an event that they know and I do not: a tombstone takes its place
};

// What the holder of `mine` does, seeing all that they hold of a range that contains the place. A
// place that is in nobody's knowledge is nobody's business: at least one version is given.
Doing judge(const std::optional<Version>& mine, const Knowledge& my_knowledge,
            const std::optional<Version>& theirs, const Knowledge& their_knowledge);

class OwnedMap {
 public:
  struct Bounds {
    size_t items = 1U << 20;  // with heads and tombstones
    size_t ahead = 8192;      // event numbers known beyond a hole, per owner
    unsigned key_bits = 64;   // of a key's hash; fewer only to make keys collide, and all alike
  };
  enum class Outcome : uint8_t {
    kApplied,
    kOld,      // known or outdated
    kNoted,    // new, but a later event of the key is known: only the number counts
    kRefused,  // beyond a bound
  };
  struct Limits {
    size_t entries = SIZE_MAX;  // of the owner, with tombstones; at it no other key is let in
    // Takes live entries although so many numbers are known beyond a hole that theirs cannot be
    // kept: they are as they are, only `complete` does not follow from them.
    bool without_number = false;
  };

  // All owners are of `owner_size` bytes.
  OwnedMap(Pool& pool, size_t owner_size) : OwnedMap(pool, owner_size, Bounds()) {}
  OwnedMap(Pool& pool, size_t owner_size, const Bounds& bounds)
      : map_(pool), owner_size_(owner_size), bounds_(bounds) {}

  const Map& map() const { return map_; }
  size_t owner_size() const { return owner_size_; }
  Path place(std::string_view owner, std::string_view key) const {
    return {hash_of(owner, 1), hash_of(key, 2) >> (64 - bounds_.key_bits)};
  }
  static Path head_place(std::string_view owner) { return {hash_of(owner, 1), 0}; }
  static Prefix range_of(std::string_view owner) { return Prefix::of(head_place(owner), 64); }

  std::string_view owner_of(const Item& item) const { return item.id().substr(0, owner_size_); }
  bool is_head(const Item& item) const { return item.id().size() == owner_size_; }
  // Nothing when the owner has no head in that map, a snapshot of this one.
  std::optional<Head> head(std::string_view owner) const { return head(map_, owner); }
  std::optional<Head> head(const Map& snapshot, std::string_view owner) const;
  Knowledge knowledge(std::string_view owner) const;
  Entry entry_of(const Item& item) const;
  // Null when there is none, not even a tombstone.
  const Item* find(std::string_view owner, std::string_view key) const;
  // Live entries and tombstones, of all owners and of one.
  size_t entries() const { return map_.size() - heads_; }
  size_t heads() const { return heads_; }
  size_t entries(std::string_view owner) const;
  // Whether events beyond the first unknown one are known.
  bool has_gap(std::string_view owner) const { return ahead_.contains(owner); }
  // Whether the event of that number is known, in the owner's epoch here.
  bool is_known(std::string_view owner, uint64_t stamp) const;
  // Every entry of the owner, live or not, by path.
  template <typename Visit>
  void each(std::string_view owner, Visit&& visit) const {
    map_.each(range_of(owner), [&](const Item& item) {
      if (!is_head(item) && owner_of(item) == owner) visit(item);
    });
  }
  // A fingerprint of the owner's entries and of its tombstones beyond `complete`.
  uint64_t contents(std::string_view owner, uint64_t complete) const;

  Outcome apply(const Entry& entry) { return apply(entry, Limits()); }
  Outcome apply(const Entry& entry, const Limits& limits);
  // The item, whatever it was, is known to be deleted by an event up to `by`.
  void bury(const Item& item, uint64_t by);
  // All events of the owner up to `complete` are known. A higher epoch than known replaces all.
  void raise(const Head& head);
  void forget(std::string_view owner);
  // All of an owner that another map of the same pool holds, in place of what is held of it here;
  // the other one forgets it.
  void take(OwnedMap& from, std::string_view owner);

 private:
  Item head_item(std::string_view owner, uint64_t epoch, uint64_t complete) const;
  void reap(std::string_view owner, uint64_t complete);
  void erase_owner(std::string_view owner);
  uint64_t pass_ahead(std::string_view owner, uint64_t complete);

  Map map_;
  size_t heads_ = 0;
  size_t owner_size_;
  Bounds bounds_;
  // Event numbers known beyond the first hole; sparse, hence beside the map.
  std::map<std::string, std::set<uint64_t>, std::less<>> ahead_;
};

class Editor {
 public:
  explicit Editor(OwnedMap& map) : map_(map) {}
  virtual ~Editor() = default;
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  const OwnedMap& map() const { return map_; }
  // Whether another replica has anything to say of the owner in this epoch here. Where not, what is
  // below is not called, and nothing is asked for.
  virtual bool takes(std::string_view, uint64_t) const { return true; }
  virtual OwnedMap::Outcome apply(const Entry& entry) {
    return map_.apply(entry, {.without_number = true});
  }
  virtual void bury(const Item& item, uint64_t by) { map_.bury(item, by); }
  virtual void raise(const Head& head) { map_.raise(head); }

 protected:
  OwnedMap& map_;
};

}  // namespace shoal::gossip::merkle
