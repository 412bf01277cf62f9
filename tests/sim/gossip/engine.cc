#include "tests/sim/gossip/engine.h"

#include <algorithm>

namespace shoal::gossip::sim {
namespace {

bool later(const Event& a, const Event& b) {
  return a.at != b.at ? a.at > b.at : a.number > b.number;
}

}  // namespace

void Calendar::push(int64_t at, Kind kind, uint32_t node, uint32_t slot) {
  ++size_;
  place({at, next_number_++, node, slot, kind});
}

void Calendar::place(const Event& event) {
  const int64_t tick = tick_of(event.at);
  if (tick <= current_) {
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), later);
  } else if (tick < current_ + kBuckets) {
    ++in_buckets_;
    buckets_[static_cast<size_t>(tick % kBuckets)].push_back(event);
  } else {
    later_.push_back(event);
    std::push_heap(later_.begin(), later_.end(), later);
  }
}

// To the next tick that may have events; false when none are left.
bool Calendar::advance() {
  if (in_buckets_ == 0) {
    if (later_.empty()) return false;
    current_ = std::max(current_, tick_of(later_.front().at) - 1);
  }
  ++current_;
  while (!later_.empty() && tick_of(later_.front().at) < current_ + kBuckets) {
    std::pop_heap(later_.begin(), later_.end(), later);
    const Event event = later_.back();
    later_.pop_back();
    place(event);
  }
  std::vector<Event>& bucket = buckets_[static_cast<size_t>(current_ % kBuckets)];
  in_buckets_ -= bucket.size();
  heap_.insert(heap_.end(), bucket.begin(), bucket.end());
  bucket.clear();
  std::make_heap(heap_.begin(), heap_.end(), later);
  return true;
}

bool Calendar::pop(int64_t until, Event& out) {
  while (heap_.empty()) {
    if (current_ >= tick_of(until) || !advance()) return false;
  }
  if (heap_.front().at > until) return false;
  std::pop_heap(heap_.begin(), heap_.end(), later);
  out = heap_.back();
  heap_.pop_back();
  --size_;
  return true;
}

}  // namespace shoal::gossip::sim
