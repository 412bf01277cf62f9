#include "gossip/node/send_queue.h"

#include <algorithm>

namespace shoal::gossip {
namespace {

// An own event is waited for by all; a relayed one has other ways.
constexpr uint64_t kOwnWeight = 3;
constexpr uint64_t kRelayedWeight = 1;

}  // namespace

bool SendQueue::push(Item item) {
  Lane& lane = this->lane(item.kind);
  const Lane& other = item.kind == Kind::kOwn ? relayed_ : own_;
  // Who had nothing to send has saved nothing.
  if (lane.items.empty() && !other.items.empty()) lane.cost = std::max(lane.cost, other.cost);
  lane.bytes += item.encoded->size();
  lane.items.push_back(std::move(item));
  bool all_kept = true;
  for (; lane.bytes > bound_ && lane.items.size() > 1; all_kept = false) {
    lane.bytes -= lane.items.front().encoded->size();
    lane.items.pop_front();
  }
  return all_kept;
}

Instant SendQueue::oldest() const {
  Instant oldest = Instant::max();
  for (const Lane* lane : {&own_, &relayed_}) {
    if (!lane->items.empty()) oldest = std::min(oldest, lane->items.front().since);
  }
  return oldest;
}

SendQueue::Lane& SendQueue::next_lane() {
  if (own_.items.empty()) return relayed_;
  if (relayed_.items.empty()) return own_;
  return own_.cost <= relayed_.cost ? own_ : relayed_;
}

std::vector<SendQueue::Item> SendQueue::take(size_t max_bytes) {
  std::vector<Item> taken;
  size_t used = 0;
  while (!empty()) {
    Lane& lane = next_lane();
    const size_t size = lane.items.front().encoded->size();
    if (used + size > max_bytes && !taken.empty()) break;
    used += size;
    lane.bytes -= size;
    lane.cost += size * (&lane == &own_ ? kRelayedWeight : kOwnWeight);
    taken.push_back(std::move(lane.items.front()));
    lane.items.pop_front();
  }
  return taken;
}

}  // namespace shoal::gossip
