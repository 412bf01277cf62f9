// OwnedMap: the entries of a scope (a network, say) as a Merkle map, each written by one owner.
//
// An owner numbers its events 1, 2, 3, ... within an epoch. Its head says in which epoch it is and
// up to which event all are known here (`complete`). Three rules, as in gossip/table/slot.h:
//   - an event up to `complete` is old news, whatever it says;
//   - among events of one key the highest number wins;
//   - events of a higher epoch replace all that was held of lower ones.
// So a tombstone is needed only while its number is beyond `complete`, and is reaped then.
//
// In the map, by path (high half, low half):
//   head       h(owner), 0        id: owner           stamp: complete
//   entry      h(owner), h(key)   id: owner and key   stamp: number of the event
//   tombstone  as an entry, without value, and marked; buried if its number is not its event's
// so that all of an owner is below one prefix of 64 bits, the head first. Owners are of one length
// and keys are not empty, so that ids are unambiguous when hashes collide.
//
// judge() is what two replicas do about one place at which they differ; reconcile.h applies it.
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
  };
  enum class Outcome : uint8_t {
    kApplied,
    kOld,      // known, outdated, or of an event whose number counts only
    kRefused,  // beyond a bound
  };

  // All owners are of `owner_size` bytes.
  OwnedMap(Pool& pool, size_t owner_size) : OwnedMap(pool, owner_size, Bounds()) {}
  OwnedMap(Pool& pool, size_t owner_size, const Bounds& bounds)
      : map_(pool), owner_size_(owner_size), bounds_(bounds) {}

  const Map& map() const { return map_; }
  size_t owner_size() const { return owner_size_; }
  static Path place(std::string_view owner, std::string_view key) {
    return {hash_of(owner, 1), key.empty() ? 0 : hash_of(key, 2)};
  }
  static Prefix range_of(std::string_view owner) { return Prefix::of(place(owner, {}), 64); }

  std::string_view owner_of(const Item& item) const { return item.id().substr(0, owner_size_); }
  bool is_head(const Item& item) const { return item.id().size() == owner_size_; }
  // Nothing when the owner has no head in that map, a snapshot of this one.
  std::optional<Head> head(std::string_view owner) const { return head(map_, owner); }
  std::optional<Head> head(const Map& snapshot, std::string_view owner) const;
  Knowledge knowledge(std::string_view owner) const;
  Entry entry_of(const Item& item) const;
  // A fingerprint of the owner's entries and of its tombstones beyond `complete`.
  uint64_t contents(std::string_view owner, uint64_t complete) const;

  Outcome apply(const Entry& entry);
  // The item, whatever it was, is known to be deleted by an event up to `by`.
  void bury(const Item& item, uint64_t by);
  // All events of the owner up to `complete` are known. A higher epoch than known replaces all.
  void raise(const Head& head);
  void forget(std::string_view owner);

 private:
  void put_head(std::string_view owner, uint64_t epoch, uint64_t complete);
  void reap(std::string_view owner, uint64_t complete);
  void erase_owner(std::string_view owner);
  uint64_t pass_ahead(std::string_view owner, uint64_t complete);

  Map map_;
  size_t owner_size_;
  Bounds bounds_;
  // Event numbers known beyond the first hole; sparse, hence beside the map.
  std::map<std::string, std::set<uint64_t>, std::less<>> ahead_;
};

}  // namespace shoal::gossip::merkle
