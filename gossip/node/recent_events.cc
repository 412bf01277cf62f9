#include "gossip/node/recent_events.h"

#include <algorithm>
#include <utility>

namespace shoal::gossip {
namespace {

constexpr size_t kFewest = 64;

}  // namespace

const SharedBytes* RecentEvents::event(uint32_t tag) const {
  const Cell* cell = find(tag);
  return cell == nullptr || cell->what < kFirst ? nullptr : &events_[cell->what - kFirst].bytes;
}

void RecentEvents::add(uint32_t tag, SharedBytes encoded, Instant now) {
  auto* cell = const_cast<Cell*>(find(tag));
  if (cell == nullptr) {
    if (tags_.size() >= bounds_.tags) forget_oldest_tag();
    if (2 * (tags_.size() + 1) > cells_.size()) grow();
    cell = &place(tag);
    *cell = {tag, kNoBytes};
    tags_.push_back({tag, now});
  }
  if (encoded == nullptr || cell->what != kNoBytes) return;
  bytes_ += encoded->size();
  if (free_.empty()) {
    cell->what = kFirst + static_cast<uint32_t>(events_.size());
    events_.push_back({std::move(encoded), now});
  } else {
    cell->what = kFirst + free_.back();
    events_[free_.back()] = {std::move(encoded), now};
    free_.pop_back();
  }
  kept_.push_back({tag, now});
  while (bytes_ > bounds_.bytes) forget_oldest_event();
}

void RecentEvents::expire(Instant now) {
  while (!kept_.empty() && now - kept_.front().since >= bounds_.keep_event) forget_oldest_event();
  while (!tags_.empty() && now - tags_.front().since >= bounds_.keep_tag) forget_oldest_tag();
}

// The cell that is free for it.
RecentEvents::Cell& RecentEvents::place(uint32_t tag) {
  size_t i = tag & mask();
  while (cells_[i].what != kFree) i = (i + 1) & mask();
  return cells_[i];
}

void RecentEvents::grow() {
  const std::vector<Cell> old =
      std::exchange(cells_, std::vector<Cell>(std::max(kFewest, 2 * cells_.size())));
  for (const Cell& cell : old) {
    if (cell.what != kFree) place(cell.tag) = cell;
  }
}

void RecentEvents::drop_bytes(Cell& cell) {
  if (cell.what < kFirst) return;
  const uint32_t at = std::exchange(cell.what, kNoBytes) - kFirst;
  bytes_ -= events_[at].bytes->size();
  events_[at].bytes.reset();
  free_.push_back(at);
}

void RecentEvents::forget_oldest_event() {
  const Aged oldest = kept_.front();
  kept_.pop_front();
  auto* cell = const_cast<Cell*>(find(oldest.tag));
  if (cell == nullptr || cell->what < kFirst) return;
  // Its tag may have been forgotten since, and have come anew.
  if (events_[cell->what - kFirst].since == oldest.since) drop_bytes(*cell);
}

void RecentEvents::forget_oldest_tag() {
  Cell& cell = *const_cast<Cell*>(find(tags_.front().tag));
  tags_.pop_front();
  drop_bytes(cell);
  erase(cell);
}

// What was put beyond it for want of its place moves up, so that a free cell ends every search.
void RecentEvents::erase(Cell& cell) {
  auto gap = static_cast<size_t>(&cell - cells_.data());
  for (size_t i = (gap + 1) & mask(); cells_[i].what != kFree; i = (i + 1) & mask()) {
    const size_t home = cells_[i].tag & mask();
    if (((i - home) & mask()) < ((i - gap) & mask())) continue;
    cells_[gap] = cells_[i];
    gap = i;
  }
  cells_[gap] = {};
}

}  // namespace shoal::gossip
