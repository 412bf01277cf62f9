#include "gossip/wire/ranges.h"

#include <bit>
#include <map>

#include "base/types/check.h"
#include "gossip/wire/codec.h"

namespace shoal::gossip {
namespace {

using merkle::Message;
using merkle::Path;
using merkle::Prefix;

enum Field : uint8_t {
  kUpper = 1,
  kOwners = 2,
  kSplits = 4,
  kLists = 8,
  kUnanswered = 16,
  kWants = 32,
  kEntries = 64,
  kSettled = 128,
};
constexpr uint8_t kDeletedFlag = 1;
constexpr uint8_t kBuriedFlag = 2;

// Owners and epochs that entries and settled heads name beside the heads.
class Owners {
 public:
  explicit Owners(const Message& message) {
    for (const merkle::Head& head : message.heads) {
      places_.try_emplace({head.owner, head.epoch}, count_++);
    }
    for (const merkle::Entry& entry : message.entries) add(entry.owner, entry.epoch);
    for (const merkle::Settled& settled : message.settled) {
      add(settled.head.owner, settled.head.epoch);
    }
  }
  uint64_t place(std::string_view owner, uint64_t epoch) const {
    return places_.find(std::pair(owner, epoch))->second;
  }
  const std::vector<std::pair<std::string_view, uint64_t>>& others() const { return others_; }

 private:
  void add(std::string_view owner, uint64_t epoch) {
    if (!places_.try_emplace({owner, epoch}, count_).second) return;
    ++count_;
    others_.emplace_back(owner, epoch);
  }

  uint64_t count_ = 0;
  std::map<std::pair<std::string_view, uint64_t>, uint64_t> places_;
  std::vector<std::pair<std::string_view, uint64_t>> others_;
};

void write_prefix(ByteWriter& out, const Prefix& prefix) {
  out.u8(prefix.bits);
  for (unsigned bit = 0; bit < prefix.bits; bit += 8) {
    out.u8(static_cast<uint8_t>(
        (bit < 64 ? prefix.path.high << bit : prefix.path.low << (bit - 64)) >> 56));
  }
}

Prefix read_prefix(ByteReader& in) {
  const uint8_t bits = in.u8();
  if (bits > merkle::kPathBits) in.fail();
  Path path;
  for (unsigned bit = 0; bit < bits && in.ok(); bit += 8) {
    (bit < 64 ? path.high : path.low) |= static_cast<uint64_t>(in.u8()) << (56 - bit % 64);
  }
  return {path, bits};
}

void write_owners(ByteWriter& out, const Message& message, const Owners& owners) {
  out.varint(message.heads.size());
  for (const merkle::Head& head : message.heads) {
    write_id_text(out, head.owner);
    out.varint(head.epoch);
    out.varint(head.complete);
  }
  out.varint(owners.others().size());
  for (const auto& [owner, epoch] : owners.others()) {
    write_id_text(out, owner);
    out.varint(epoch);
  }
}

void write_lists(ByteWriter& out, const Message& message) {
  out.varint(message.listings.size());
  for (const merkle::Listing& listing : message.listings) {
    write_prefix(out, listing.prefix);
    out.u8(listing.final ? 1 : 0);
    out.varint(listing.parts.size());
    for (const merkle::Listing::Part& part : listing.parts) {
      out.varint(part.owner);
      out.varint(part.items.size());
      for (const merkle::Listed& item : part.items) {
        out.u64(item.path.low);
        out.varint(item.stamp << 1 | (item.deleted ? 1 : 0));
      }
    }
  }
}

std::string read_owner(ByteReader& in) {
  std::array<char, kIdLength> id;
  return read_id_text(in, id) ? std::string(id.data(), id.size()) : std::string();
}

// Heads first, then the others.
std::vector<merkle::Head> read_owners(ByteReader& in, Message& message) {
  for (size_t count = read_count(in, kWireId + 2); count > 0 && in.ok(); --count) {
    std::string owner = read_owner(in);
    const uint64_t epoch = read_number(in);
    message.heads.push_back({std::move(owner), epoch, read_number(in)});
  }
  std::vector<merkle::Head> owners = message.heads;
  for (size_t count = read_count(in, kWireId + 1); count > 0 && in.ok(); --count) {
    std::string owner = read_owner(in);
    owners.push_back({std::move(owner), read_number(in), 0});
  }
  return owners;
}

void read_splits(ByteReader& in, Message& message) {
  for (size_t count = read_count(in, 4); count > 0 && in.ok(); --count) {
    merkle::Split split{read_prefix(in), 0, 0, {}};
    split.outer_bits = in.u8();
    split.present = in.u16();
    for (int parts = std::popcount(split.present); parts > 0 && in.ok(); --parts) {
      split.prints.push_back(in.u32());
    }
    message.splits.push_back(std::move(split));
  }
}

void read_lists(ByteReader& in, Message& message) {
  for (size_t count = read_count(in, 3); count > 0 && in.ok(); --count) {
    merkle::Listing listing{read_prefix(in), in.u8() != 0, {}};
    for (size_t parts = read_count(in, 2); parts > 0 && in.ok(); --parts) {
      merkle::Listing::Part part;
      const uint64_t owner = in.varint();
      if (owner >= message.heads.size()) return in.fail();
      part.owner = static_cast<uint32_t>(owner);
      const uint64_t high = merkle::OwnedMap::head_place(message.heads[part.owner].owner).high;
      for (size_t items = read_count(in, 9); items > 0 && in.ok(); --items) {
        const uint64_t low = in.u64();
        const uint64_t stamp = in.varint();
        part.items.push_back({{high, low}, stamp >> 1, (stamp & 1) != 0});
      }
      listing.parts.push_back(std::move(part));
    }
    message.listings.push_back(std::move(listing));
  }
}

void read_entries(ByteReader& in, const std::vector<merkle::Head>& owners, Message& message) {
  for (size_t count = read_count(in, 5); count > 0 && in.ok(); --count) {
    const uint64_t owner = in.varint();
    if (owner >= owners.size()) return in.fail();
    merkle::Entry entry{owners[owner].owner, owners[owner].epoch, read_number(in)};
    const uint8_t flags = in.u8();
    entry.deleted = (flags & kDeletedFlag) != 0;
    entry.buried = (flags & kBuriedFlag) != 0;
    entry.key = in.text(kMaxKeySize);
    if (!entry.deleted) {
      const ByteView value = in.bytes(kMaxValueSize);
      entry.value.assign(value.begin(), value.end());
    }
    const bool odd = flags > (kDeletedFlag | kBuriedFlag) || (entry.buried && !entry.deleted);
    if (odd || entry.key.empty() || entry.stamp == 0) return in.fail();
    message.entries.push_back(std::move(entry));
  }
}

void read_settled(ByteReader& in, const std::vector<merkle::Head>& owners, Message& message) {
  for (size_t count = read_count(in, 10); count > 0 && in.ok(); --count) {
    const uint64_t owner = in.varint();
    if (owner >= owners.size()) return in.fail();
    const uint64_t complete = read_number(in);
    message.settled.push_back({{owners[owner].owner, owners[owner].epoch, complete}, in.u64()});
  }
}

}  // namespace

void write_ranges(ByteWriter& out, const merkle::Message& message) {
  const Owners owners(message);
  const bool any_owner = !message.heads.empty() || !owners.others().empty();
  uint8_t fields = message.upper ? kUpper : 0;
  if (any_owner) fields |= kOwners;
  if (!message.splits.empty()) fields |= kSplits;
  if (!message.listings.empty()) fields |= kLists;
  if (!message.unanswered.empty()) fields |= kUnanswered;
  if (!message.wants.empty()) fields |= kWants;
  if (!message.entries.empty()) fields |= kEntries;
  if (!message.settled.empty()) fields |= kSettled;
  out.u8(fields);
  if (any_owner) write_owners(out, message, owners);
  if ((fields & kSplits) != 0) out.varint(message.splits.size());
  for (const merkle::Split& split : message.splits) {
    write_prefix(out, split.prefix);
    out.u8(split.outer_bits);
    out.u16(split.present);
    for (const uint32_t print : split.prints) out.u32(print);
  }
  if ((fields & kLists) != 0) write_lists(out, message);
  if ((fields & kUnanswered) != 0) out.varint(message.unanswered.size());
  for (const Prefix& prefix : message.unanswered) write_prefix(out, prefix);
  if ((fields & kWants) != 0) out.varint(message.wants.size());
  for (const Path& path : message.wants) {
    out.u64(path.high);
    out.u64(path.low);
  }
  if ((fields & kEntries) != 0) out.varint(message.entries.size());
  for (const merkle::Entry& entry : message.entries) {
    out.varint(owners.place(entry.owner, entry.epoch));
    out.varint(entry.stamp);
    out.u8((entry.deleted ? kDeletedFlag : 0) | (entry.buried ? kBuriedFlag : 0));
    out.text(entry.key);
    if (!entry.deleted) out.bytes(entry.value);
  }
  if ((fields & kSettled) != 0) out.varint(message.settled.size());
  for (const merkle::Settled& settled : message.settled) {
    out.varint(owners.place(settled.head.owner, settled.head.epoch));
    out.varint(settled.head.complete);
    out.u64(settled.contents);
  }
}

merkle::Message read_ranges(ByteReader& in) {
  merkle::Message message;
  const uint8_t fields = in.u8();
  message.upper = (fields & kUpper) != 0;
  std::vector<merkle::Head> owners;
  if ((fields & kOwners) != 0) owners = read_owners(in, message);
  if ((fields & kSplits) != 0) read_splits(in, message);
  if ((fields & kLists) != 0) read_lists(in, message);
  if ((fields & kUnanswered) != 0) {
    for (size_t count = read_count(in, 1); count > 0 && in.ok(); --count) {
      message.unanswered.push_back(read_prefix(in));
    }
  }
  if ((fields & kWants) != 0) {
    for (size_t count = read_count(in, 16); count > 0 && in.ok(); --count) {
      const uint64_t high = in.u64();
      message.wants.push_back({high, in.u64()});
    }
  }
  if ((fields & kEntries) != 0) read_entries(in, owners, message);
  if ((fields & kSettled) != 0) read_settled(in, owners, message);
  if (!in.ok() || !merkle::well_formed(message, kIdLength)) {
    in.fail();
    return {};
  }
  return message;
}

}  // namespace shoal::gossip
