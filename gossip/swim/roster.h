// Roster: the members a node knows, compactly: ten thousand nodes that know ten thousand each are
// to fit a machine's memory in a simulation, and one of them costs a daemon a few hundred bytes a
// member.
//
// A member has a slot, a small number that is its own as long as it is a member. What is known of
// it is a record, which copies of a roster have in common until one of them edits it (copy on
// write): a roster of ten thousand copied costs 16 bytes a member. A daemon has one roster, whose
// records nobody shares. Live is which of them are live, in an order of its own for sampling, and
// where.
//
// One thread, as references are counted without atomics. Pointers to a record hold until the next
// edit() of that member, those of edit() until the roster is copied; or the member is erased.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/types/check.h"
#include "base/types/id.h"
#include "base/types/ip.h"
#include "gossip/merkle/path.h"
#include "gossip/merkle/pool.h"
#include "gossip/wire/message.h"

namespace shoal::gossip {

using Slot = uint16_t;
inline constexpr Slot kNoSlot = UINT16_MAX;
static_assert(kMaxMembers < kNoSlot);

// Slots by a hash of what they are looked for by: open addressing, at most three quarters full.
class SlotIndex {
 public:
  void insert(uint64_t hash, Slot slot);
  void erase(uint64_t hash, Slot slot);
  // Of those whose hash may be this one, until `visit` says true.
  template <typename Visit>
  void each(uint64_t hash, Visit&& visit) const {
    if (cells_.empty()) return;
    const auto part = static_cast<uint16_t>(hash);
    for (size_t i = part & mask(); cells_[i].slot != kNoSlot; i = (i + 1) & mask()) {
      if (cells_[i].hash == part && visit(cells_[i].slot)) return;
    }
  }

 private:
  struct Cell {
    Slot slot = kNoSlot;
    uint16_t hash = 0;
  };
  size_t mask() const { return cells_.size() - 1; }
  void place(Cell cell);

  std::vector<Cell> cells_;  // a power of two, or none
  size_t used_ = 0;
};

// `Member` has an `info` (member.h).
template <typename Member>
class Roster {
 public:
  size_t size() const { return size_; }
  bool contains(const NodeId& id) const { return slot_of(id) != kNoSlot; }
  Slot slot_of(const NodeId& id) const {
    Slot found = kNoSlot;
    by_id_.each(hash_of(id), [&](Slot slot) {
      if (records_[slot]->member.info.id == id) found = slot;
      return found != kNoSlot;
    });
    return found;
  }
  // Null where there is none.
  const Member* at(Slot slot) const {
    return slot < records_.size() && records_[slot] ? &records_[slot]->member : nullptr;
  }
  const Member* find(const NodeId& id) const { return at(slot_of(id)); }
  Member* edit(const NodeId& id) {
    const Slot slot = slot_of(id);
    if (slot == kNoSlot) return nullptr;
    merkle::Ref<Record>& record = records_[slot];
    if (record->refs() > 1) record = merkle::Ref<Record>(new Record{record->member});
    // Nobody else sees it.
    return &const_cast<Record&>(*record).member;
  }
  // A new one, of which only the id is set.
  Member& add(const NodeId& id) {
    SHOAL_CHECK(size_ < kMaxMembers && !contains(id), "a member is added once, within the bound");
    Slot slot = static_cast<Slot>(records_.size());
    if (free_.empty()) {
      records_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    auto* record = new Record;
    record->member.info.id = id;
    records_[slot] = merkle::Ref<Record>(record);
    by_id_.insert(hash_of(id), slot);
    ++size_;
    return record->member;
  }
  void erase(const NodeId& id) {
    const Slot slot = slot_of(id);
    if (slot == kNoSlot) return;
    by_id_.erase(hash_of(id), slot);
    records_[slot] = merkle::Ref<Record>();
    free_.push_back(slot);
    --size_;
  }
  // In the order of slots; `visit(member, slot)` does not add or erase.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (size_t slot = 0; slot < records_.size(); ++slot) {
      if (records_[slot]) visit(records_[slot]->member, static_cast<Slot>(slot));
    }
  }

 private:
  struct Record {
    Member member;
    mutable uint32_t count = 0;

    uint32_t& refs() const { return count; }
    static void drop(const Record* record) { delete record; }
  };
  static uint64_t hash_of(const NodeId& id) { return std::hash<NodeId>{}(id); }

  std::vector<merkle::Ref<Record>> records_;  // by slot
  std::vector<Slot> free_;
  SlotIndex by_id_;
  size_t size_ = 0;
};

// Slots in an order that means nothing, and by address.
class Live {
 public:
  size_t size() const { return order_.size(); }
  bool empty() const { return order_.empty(); }
  Slot operator[](size_t i) const { return order_[i]; }

  void add(Slot slot, const HostPort& address);
  // The last one takes its place.
  void erase(Slot slot, const HostPort& address);
  // The others keep their order; costs their number.
  void erase_in_order(Slot slot, const HostPort& address);
  void move(Slot slot, const HostPort& from, const HostPort& to);
  // Of those that may be at an address, in no order, until `visit` says true.
  template <typename Visit>
  void each_at(const HostPort& address, Visit&& visit) const {
    by_address_.each(hash_of(address), visit);
  }

 private:
  static uint64_t hash_of(const HostPort& address);

  std::vector<Slot> order_;
  std::vector<Slot> places_;  // in order_, by slot
  SlotIndex by_address_;
};

}  // namespace shoal::gossip
