// RecentEvents: the events that came or were said of late, by tag: to know a copy when it comes,
// and to give to who missed them. An event's bytes are kept shorter than its tag. What is too old
// goes, and what is too much: the oldest first.
//
// Asked for each tag that is told and for each copy that comes, mostly in vain: a look-up is a line
// of the cache.
#pragma once

#include <deque>
#include <vector>

#include "base/types/time.h"
#include "gossip/node/send_queue.h"

namespace shoal::gossip {

class RecentEvents {
 public:
  struct Bounds {
    size_t tags = 16384;
    size_t bytes = 512U << 10;  // of events
    Duration keep_event;
    Duration keep_tag;
  };
  explicit RecentEvents(const Bounds& bounds) : bounds_(bounds) {}

  bool contains(uint32_t tag) const { return find(tag) != nullptr; }
  // Null when it is not known, or its bytes are gone or never were here.
  const SharedBytes* event(uint32_t tag) const;
  // `encoded` may be null. Of what is known, only bytes that were not here are news.
  void add(uint32_t tag, SharedBytes encoded, Instant now);
  void expire(Instant now);
  size_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kFree = 0, kNoBytes = 1, kFirst = 2;
  struct Cell {
    uint32_t tag = 0;
    uint32_t what = kFree;  // or kFirst + place in events_
  };
  struct Aged {
    uint32_t tag = 0;
    Instant since;
  };
  struct Event {
    SharedBytes bytes;
    Instant since;
  };

  size_t mask() const { return cells_.size() - 1; }
  const Cell* find(uint32_t tag) const {
    if (cells_.empty()) return nullptr;
    size_t i = tag & mask();
    for (; cells_[i].what != kFree; i = (i + 1) & mask()) {
      if (cells_[i].tag == tag) return &cells_[i];
    }
    return nullptr;
  }
  Cell& place(uint32_t tag);
  void grow();
  void erase(Cell& cell);
  void drop_bytes(Cell& cell);
  void forget_oldest_event();
  void forget_oldest_tag();

  Bounds bounds_;
  std::vector<Cell> cells_;  // open addressing; a power of two, at most half full
  std::vector<Event> events_;
  std::vector<uint32_t> free_;  // places in events_
  std::deque<Aged> tags_;       // all, oldest first
  std::deque<Aged> kept_;       // those with an event; of some it is gone already
  size_t bytes_ = 0;
};

}  // namespace shoal::gossip
