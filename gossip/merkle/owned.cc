#include "gossip/merkle/owned.h"

#include <algorithm>
#include <vector>

#include "base/types/check.h"

namespace shoal::gossip::merkle {

Doing judge(const std::optional<Version>& mine, const Knowledge& my,
            const std::optional<Version>& theirs, const Knowledge& their) {
  const bool they_lag = my.known && (!their.known || my.epoch > their.epoch);
  const bool i_lag = their.known && (!my.known || their.epoch > my.epoch);
  if (they_lag) return mine ? Doing::kPush : Doing::kNothing;
  // What is held of the lower epoch goes when the first of the higher comes.
  if (i_lag) return theirs ? Doing::kWant : Doing::kNothing;
  if (mine && theirs) {
    if (theirs->stamp > mine->stamp && theirs->stamp > my.complete) return Doing::kWant;
    if (mine->stamp > theirs->stamp && mine->stamp > their.complete) return Doing::kPush;
    return Doing::kNothing;
  }
  if (theirs) return theirs->stamp > my.complete ? Doing::kWant : Doing::kNothing;
  if (mine->stamp > their.complete) return Doing::kPush;
  // A tombstone they have reaped is still needed here: a late event may come until `complete`
  // rises.
  return mine->deleted ? Doing::kNothing : Doing::kBury;
}

std::optional<Head> OwnedMap::head(const Map& snapshot, std::string_view owner) const {
  const Item* found = snapshot.find(head_place(owner), owner);
  if (found == nullptr) return {};
  return Head{std::string(owner), found->epoch, found->stamp};
}

Knowledge OwnedMap::knowledge(std::string_view owner) const {
  const Item* found = map_.find(head_place(owner), owner);
  if (found == nullptr) return {};
  return {true, found->epoch, found->stamp};
}

Entry OwnedMap::entry_of(const Item& item) const {
  const ByteView value = item.blob->value();
  Entry entry{std::string(owner_of(item)), item.epoch, item.stamp};
  entry.deleted = item.marked();
  entry.buried = (item.flags() & kBuried) != 0;
  entry.key = item.id().substr(owner_size_);
  entry.value.assign(value.begin(), value.end());
  return entry;
}

const Item* OwnedMap::find(std::string_view owner, std::string_view key) const {
  std::string id(owner);
  return map_.find(place(owner, key), id += key);
}

size_t OwnedMap::entries(std::string_view owner) const {
  const uint32_t count = map_.below(range_of(owner)).count;
  return count == 0 ? 0 : count - 1;
}

bool OwnedMap::is_known(std::string_view owner, uint64_t stamp) const {
  const auto ahead = ahead_.find(owner);
  return stamp <= knowledge(owner).complete ||
         (ahead != ahead_.end() && ahead->second.contains(stamp));
}

OwnedMap::Outcome OwnedMap::apply(const Entry& entry, const Limits& limits) {
  if (entry.owner.size() != owner_size_ || entry.key.empty() || entry.stamp == 0 ||
      (entry.buried && !entry.deleted) || entry.owner.size() + entry.key.size() > kMaxBlobId ||
      entry.value.size() > kMaxBlobValue) {
    return Outcome::kRefused;
  }
  Knowledge known = knowledge(entry.owner);
  const bool replaces = !known.known || entry.epoch > known.epoch;
  if (!replaces && (entry.epoch < known.epoch || entry.stamp <= known.complete)) {
    return Outcome::kOld;
  }
  const bool had_any = known.known;
  if (replaces) known = {true, entry.epoch, 0};
  const bool next = entry.stamp == known.complete + 1 && !entry.buried;
  bool numbered = !next && !entry.buried;
  if (!replaces && numbered) {
    const auto ahead = ahead_.find(entry.owner);
    if (ahead != ahead_.end() && ahead->second.contains(entry.stamp)) return Outcome::kOld;
    if (ahead != ahead_.end() && ahead->second.size() >= bounds_.ahead) {
      if (!limits.without_number || entry.deleted) return Outcome::kRefused;
      numbered = false;
    }
  }
  const std::string id = entry.owner + entry.key;
  const Path path = place(entry.owner, entry.key);
  const Item* old = replaces ? nullptr : map_.find(path, id);
  const size_t held = replaces ? 0 : entries(entry.owner);
  if (old == nullptr && !entry.deleted &&
      (held >= limits.entries || map_.size() + (replaces ? 2 : 1) > bounds_.items)) {
    return Outcome::kRefused;
  }
  const bool newest = old == nullptr || entry.stamp > old->stamp;
  if (replaces && had_any) erase_owner(entry.owner);
  const uint64_t complete = next ? pass_ahead(entry.owner, entry.stamp) : known.complete;
  // Nothing can come any more that this tombstone would be needed against.
  const bool reaped = newest && entry.deleted && entry.stamp <= complete;
  if (reaped && old != nullptr) map_.erase(path, id);
  Item changes[2];
  size_t count = 0;
  if (newest && !reaped) {
    const uint8_t flags =
        static_cast<uint8_t>((entry.deleted ? kMarked : 0) | (entry.buried ? kBuried : 0));
    changes[count++] = {
        path, entry.epoch, entry.stamp,
        map_.pool().blob(id, entry.deleted ? ByteView() : ByteView(entry.value), flags)};
  }
  if (replaces || next) changes[count++] = head_item(entry.owner, entry.epoch, complete);
  if (replaces) ++heads_;
  map_.put_all({changes, count});
  if (next) reap(entry.owner, complete);
  if (numbered) ahead_[entry.owner].insert(entry.stamp);
  return newest ? Outcome::kApplied : entry.buried ? Outcome::kOld : Outcome::kNoted;
}

uint64_t OwnedMap::contents(std::string_view owner, uint64_t complete) const {
  const Prefix range = range_of(owner);
  uint64_t hash = 0;
  uint32_t heads = 0;
  map_.each(Prefix::of(range.path, kPathBits), [&](const Item& item) {
    if (!is_head(item)) return;
    ++heads;
    hash ^= item.hash();
  });
  if (heads > 1) {  // of owners whose hash is the same
    hash = 0;
    map_.each(range, [&](const Item& item) {
      if (owner_of(item) == owner && !is_head(item)) hash ^= item.hash();
    });
  } else {
    hash ^= map_.below(range).hash;
  }
  for (uint32_t n = map_.below(range).marked; n-- > 0;) {
    const Item& item = map_.nth_marked(range, n);
    if (owner_of(item) == owner && item.stamp <= complete) hash ^= item.hash();
  }
  return hash;
}

void OwnedMap::bury(const Item& item, uint64_t by) {
  const Item gone = item;
  if (by <= knowledge(owner_of(gone)).complete) {
    map_.erase(gone.path, gone.id());
  } else {
    map_.put({gone.path, gone.epoch, by, map_.pool().blob(gone.id(), {}, kMarked | kBuried)});
  }
}

void OwnedMap::raise(const Head& head) {
  SHOAL_CHECK(head.owner.size() == owner_size_, "owners are of one length");
  const Knowledge known = knowledge(head.owner);
  if (known.known && head.epoch < known.epoch) return;
  const bool replaces = !known.known || head.epoch > known.epoch;
  if (!replaces && head.complete <= known.complete) return;
  if (replaces && known.known) erase_owner(head.owner);
  const uint64_t complete = pass_ahead(head.owner, head.complete);
  map_.put(head_item(head.owner, head.epoch, complete));
  if (replaces) ++heads_;
  reap(head.owner, complete);
}

// `complete`, or the last number before the next hole.
uint64_t OwnedMap::pass_ahead(std::string_view owner, uint64_t complete) {
  const auto found = ahead_.find(owner);
  if (found == ahead_.end()) return complete;
  std::set<uint64_t>& numbers = found->second;
  numbers.erase(numbers.begin(), numbers.upper_bound(complete));
  while (!numbers.empty() && *numbers.begin() == complete + 1) {
    ++complete;
    numbers.erase(numbers.begin());
  }
  if (numbers.empty()) ahead_.erase(found);
  return complete;
}

void OwnedMap::reap(std::string_view owner, uint64_t complete) {
  const Prefix range = range_of(owner);
  for (uint32_t n = map_.below(range).marked; n-- > 0;) {
    const Item item = map_.nth_marked(range, n);
    if (owner_of(item) == owner && item.stamp <= complete) map_.erase(item.path, item.id());
  }
}

Item OwnedMap::head_item(std::string_view owner, uint64_t epoch, uint64_t complete) const {
  return {head_place(owner), epoch, complete, map_.pool().blob(owner, {})};
}

void OwnedMap::forget(std::string_view owner) {
  if (knowledge(owner).known) erase_owner(owner);
}

void OwnedMap::take(OwnedMap& from, std::string_view owner) {
  forget(owner);
  if (!from.knowledge(owner).known) return;
  from.map_.each(range_of(owner), [&](const Item& item) {
    if (owner_of(item) == owner) map_.put(item);
  });
  ++heads_;
  if (auto numbers = from.ahead_.extract(std::string(owner))) ahead_.insert(std::move(numbers));
  from.erase_owner(owner);
}

// It has a head.
void OwnedMap::erase_owner(std::string_view owner) {
  if (const auto found = ahead_.find(owner); found != ahead_.end()) ahead_.erase(found);
  --heads_;
  std::vector<Item> others;  // owners whose hash is the same
  map_.each(range_of(owner), [&](const Item& item) {
    if (owner_of(item) != owner) others.push_back(item);
  });
  map_.erase_prefix(range_of(owner));
  for (Item& item : others) map_.put(std::move(item));
}

}  // namespace shoal::gossip::merkle
