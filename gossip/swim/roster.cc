#include "gossip/swim/roster.h"

#include <algorithm>
#include <string_view>

namespace shoal::gossip {
namespace {

constexpr size_t kFewest = 16;

}  // namespace

void SlotIndex::insert(uint64_t hash, Slot slot) {
  if (4 * (used_ + 1) > 3 * cells_.size()) {
    const std::vector<Cell> old =
        std::exchange(cells_, std::vector<Cell>(std::max(kFewest, 2 * cells_.size())));
    for (const Cell& cell : old) {
      if (cell.slot != kNoSlot) place(cell);
    }
  }
  place({slot, static_cast<uint16_t>(hash)});
  ++used_;
}

void SlotIndex::place(Cell cell) {
  size_t i = cell.hash & mask();
  while (cells_[i].slot != kNoSlot) i = (i + 1) & mask();
  cells_[i] = cell;
}

// What was put beyond it for want of its place moves up, so that a gap ends every search.
void SlotIndex::erase(uint64_t hash, Slot slot) {
  size_t gap = static_cast<uint16_t>(hash) & mask();
  while (cells_[gap].slot != slot) {
    SHOAL_CHECK(cells_[gap].slot != kNoSlot, "what is erased is there");
    gap = (gap + 1) & mask();
  }
  for (size_t i = (gap + 1) & mask(); cells_[i].slot != kNoSlot; i = (i + 1) & mask()) {
    const size_t home = cells_[i].hash & mask();
    if (((i - home) & mask()) < ((i - gap) & mask())) continue;
    cells_[gap] = cells_[i];
    gap = i;
  }
  cells_[gap] = {};
  --used_;
}

uint64_t Live::hash_of(const HostPort& address) {
  const auto bytes = address.ip.bytes();
  return merkle::hash_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, address.port);
}

void Live::add(Slot slot, const HostPort& address) {
  if (places_.size() <= slot) places_.resize(slot + size_t{1});
  places_[slot] = static_cast<Slot>(order_.size());
  order_.push_back(slot);
  by_address_.insert(hash_of(address), slot);
}

void Live::erase(Slot slot, const HostPort& address) {
  const Slot place = places_[slot];
  order_[place] = order_.back();
  places_[order_[place]] = place;
  order_.pop_back();
  by_address_.erase(hash_of(address), slot);
}

void Live::erase_in_order(Slot slot, const HostPort& address) {
  order_.erase(order_.begin() + places_[slot]);
  for (size_t i = places_[slot]; i < order_.size(); ++i) places_[order_[i]] = static_cast<Slot>(i);
  by_address_.erase(hash_of(address), slot);
}

void Live::move(Slot slot, const HostPort& from, const HostPort& to) {
  by_address_.erase(hash_of(from), slot);
  by_address_.insert(hash_of(to), slot);
}

}  // namespace shoal::gossip
