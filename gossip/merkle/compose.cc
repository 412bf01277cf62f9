#include "gossip/merkle/compose.h"

#include <algorithm>
#include <bit>
#include <set>

namespace shoal::gossip::merkle {
namespace {

// Bytes on the wire (gossip/wire/ranges.h): ids of 17, hashes of 8, numbers as varints of the usual
// size.
constexpr size_t kHeadBytes = 17 + 9 + 3;
constexpr size_t kOwnerBytes = 17 + 9;
constexpr size_t kListedBytes = 8 + 3;
constexpr size_t kPartBytes = 2;
constexpr size_t kPathBytes = 16;
constexpr size_t kSettledBytes = 1 + 3 + 8;
constexpr size_t kListsBytes = 8;  // fields and counts
constexpr size_t kSplitBytes = 80;
constexpr size_t kListedOwnerBytes = kHeadBytes + kPartBytes + kListedBytes;  // alone in a list

size_t prefix_bytes(const Prefix& prefix) { return 1 + (prefix.bits + 7U) / 8; }
size_t split_bytes(const Split& split) {
  return prefix_bytes(split.prefix) + 3 + 4 * split.prints.size();
}
size_t listing_bytes(const Listing& listing) {
  size_t bytes = prefix_bytes(listing.prefix) + 2;
  for (const Listing::Part& part : listing.parts) {
    bytes += kPartBytes + kListedBytes * part.items.size();
  }
  return bytes;
}
size_t entry_bytes(const Entry& entry) {
  return 1 + 3 + 1 + 1 + entry.key.size() + 2 + entry.value.size();
}

bool valid(const Prefix& prefix, unsigned max_bits) {
  return prefix.bits <= max_bits && prefix.bits % 4 == 0 &&
         prefix == Prefix::of(prefix.path, prefix.bits);
}

uint32_t half_of(uint64_t hash, bool upper) {
  return static_cast<uint32_t>(upper ? hash >> 32 : hash);
}

}  // namespace

bool Message::empty() const {
  return splits.empty() && listings.empty() && unanswered.empty() && wants.empty() &&
         entries.empty() && settled.empty();
}

size_t Message::wire_bytes() const {
  std::set<std::string_view> owners;
  for (const Head& head : heads) owners.insert(head.owner);
  size_t bytes = kListsBytes + kHeadBytes * heads.size() + kPathBytes * wants.size();
  for (const Split& split : splits) bytes += split_bytes(split);
  for (const Listing& listing : listings) bytes += listing_bytes(listing);
  for (const Prefix& prefix : unanswered) bytes += prefix_bytes(prefix);
  for (const Entry& entry : entries) {
    bytes += entry_bytes(entry) + (owners.insert(entry.owner).second ? kOwnerBytes : 0);
  }
  for (const Settled& one : settled) {
    bytes += kSettledBytes + (owners.insert(one.head.owner).second ? kOwnerBytes : 0);
  }
  return bytes;
}

bool well_formed(const Message& message, size_t owner_size) {
  const auto is_owner = [&](const std::string& owner) { return owner.size() == owner_size; };
  return std::ranges::all_of(message.heads, is_owner, &Head::owner) &&
         std::ranges::all_of(
             message.splits,
             [](const Split& split) {
               return valid(split.prefix, kPathBits - 4) && split.outer_bits <= split.prefix.bits &&
                      split.outer_bits % 4 == 0 &&
                      split.prints.size() == static_cast<size_t>(std::popcount(split.present));
             }) &&
         std::ranges::all_of(
             message.listings,
             [&](const Listing& listing) {
               return valid(listing.prefix, kPathBits) &&
                      std::ranges::all_of(listing.parts, [&](const Listing::Part& part) {
                        return part.owner < message.heads.size() &&
                               std::ranges::all_of(part.items, [&](const Listed& item) {
                                 return listing.prefix.contains(item.path);
                               });
                      });
             }) &&
         std::ranges::all_of(message.unanswered,
                             [](const Prefix& prefix) { return valid(prefix, kPathBits); }) &&
         std::ranges::all_of(
             message.settled, is_owner,
             [](const Settled& settled) -> const std::string& { return settled.head.owner; });
}

std::vector<Range> differing(const Map& map, const Split& theirs, bool upper) {
  std::vector<Range> ranges;
  const Prefix& inner = theirs.prefix;
  const auto held_in = [&](unsigned bits) { return map.below(Prefix::of(inner.path, bits)).count; };
  uint32_t inside = held_in(inner.bits);
  for (unsigned bits = inner.bits; bits > theirs.outer_bits && held_in(theirs.outer_bits) > inside;
       inside = held_in(bits)) {
    bits -= 4;
    const Prefix outer = Prefix::of(inner.path, bits);
    const auto parts = map.children(outer);
    for (unsigned digit = 0; digit < 16; ++digit) {
      if (parts[digit].count == 0 || digit == bits_at(inner.path, bits, 4)) continue;
      ranges.push_back({outer.child(digit), true});
    }
  }
  const auto parts = map.children(inner);
  size_t next = 0;
  for (unsigned digit = 0; digit < 16; ++digit) {
    const bool present = (theirs.present >> digit & 1) != 0;
    const uint32_t print = present ? theirs.prints[next++] : 0;
    const bool here = parts[digit].count > 0;
    if (present == here && (!here || half_of(parts[digit].hash, upper) == print)) continue;
    ranges.push_back({inner.child(digit), !present});
  }
  return ranges;
}

uint32_t Composer::add_head(std::string_view owner) {
  const auto known = head_places_.find(owner);
  if (known != head_places_.end()) return known->second;
  const auto place = static_cast<uint32_t>(message_.heads.size());
  // Whoever holds anything of an owner has its head.
  message_.heads.push_back(*map_.head(owner));
  head_places_.emplace(owner, place);
  used_ += kHeadBytes;
  return place;
}

void Composer::add_heads_inside(const Prefix& range) {
  if (range.bits < 64) return;
  map_.map().each(Prefix::of({range.path.high, 0}, kPathBits), [&](const Item& item) {
    if (map_.is_head(item)) add_head(map_.owner_of(item));
  });
}

void Composer::push(const Item& item) {
  message_.entries.push_back(map_.entry_of(item));
  used_ += entry_bytes(message_.entries.back());
  if (last_owner_ == message_.entries.back().owner) return;
  last_owner_ = message_.entries.back().owner;
  used_ += kOwnerBytes;
}

void Composer::want(const Path& path) {
  message_.wants.push_back(path);
  used_ += kPathBytes;
}

void Composer::leave(const Range& range) { left_.push_back(range); }

void Composer::ask(const Range& range) {
  const uint32_t count = map_.map().below(range.prefix).count;
  const size_t most = std::max(kSplitBytes, std::min(count, kListedItems) * kListedOwnerBytes);
  if (!has_room(most)) {
    leave(range);
  } else if (count <= kListedItems || range.prefix.bits == kPathBits) {
    list(range, false);
  } else if (range.absent) {
    pieces(range.prefix, false, [](const Prefix&) { return false; });
  } else {
    split(range.prefix);
  }
}

void Composer::split(const Prefix& range) {
  Split split{map_.map().tighten(range), range.bits, 0, {}};
  const auto parts = map_.map().children(split.prefix);
  for (unsigned digit = 0; digit < 16; ++digit) {
    if (parts[digit].count == 0) continue;
    split.present |= static_cast<uint16_t>(1U << digit);
    split.prints.push_back(half_of(parts[digit].hash, message_.upper));
  }
  add_heads_inside(split.prefix);
  used_ += split_bytes(split);
  message_.splits.push_back(std::move(split));
}

void Composer::list(const Range& range, bool final) {
  Listing listing{range.prefix, final, {}};
  add_heads_inside(range.prefix);
  map_.map().each(range.prefix, [&](const Item& item) {
    const uint32_t owner = add_head(map_.owner_of(item));
    if (map_.is_head(item)) return;
    auto part = std::ranges::find(listing.parts, owner, &Listing::Part::owner);
    if (part == listing.parts.end()) {
      part = listing.parts.insert(part, Listing::Part{owner, {}});
    }
    part->items.push_back({item.path, item.stamp, item.marked()});
  });
  used_ += listing_bytes(listing);
  message_.listings.push_back(std::move(listing));
}

void Composer::pieces(const Prefix& range, bool final,
                      const std::function<bool(const Prefix&)>& holds_something) {
  const uint32_t count = map_.map().below(range).count;
  if (count == 0 && !holds_something(range)) return;
  if (!has_room(std::min(count, kPieceItems) * kListedBytes)) return leave({range, false});
  if (count <= kPieceItems || range.bits == kPathBits) return list({range, false}, final);
  for (unsigned digit = 0; digit < 16; ++digit) {
    pieces(range.child(digit), final, holds_something);
  }
}

void Composer::list_finally(const Listing& theirs) {
  const uint32_t count = map_.map().below(theirs.prefix).count;
  if (count <= kPieceItems) {
    const size_t each = count <= kListedItems ? kListedOwnerBytes : kListedBytes;
    return has_room(count * each) ? list({theirs.prefix, false}, true)
                                  : leave({theirs.prefix, false});
  }
  pieces(theirs.prefix, true, [&](const Prefix& range) {
    return std::ranges::any_of(theirs.parts, [&](const Listing::Part& part) {
      return std::ranges::any_of(part.items,
                                 [&](const Listed& item) { return range.contains(item.path); });
    });
  });
}

Message Composer::take_answer() {
  for (const Range& range : left_) {
    message_.unanswered.push_back(range.prefix);
    add_heads_inside(range.prefix);
  }
  return std::move(message_);
}

std::pair<Message, std::vector<Range>> Composer::take_question() {
  return {std::move(message_), std::move(left_)};
}

}  // namespace shoal::gossip::merkle
