#include "gossip/table/queue.h"

namespace shoal::gossip {

bool EventQueue::push(Bytes encoded, bool own, size_t rounds) {
  std::deque<Item>& queue = own ? own_ : relayed_;
  queue.push_back({std::move(encoded), rounds});
  if (queue.size() <= bound_) return true;
  queue.pop_front();
  return false;
}

std::vector<Bytes> EventQueue::take_round(size_t max_bytes) {
  std::vector<Bytes> out;
  size_t used = 0;
  take(own_, max_bytes, used, out);
  take(relayed_, max_bytes, used, out);
  return out;
}

void EventQueue::take(std::deque<Item>& queue, size_t max_bytes, size_t& used,
                      std::vector<Bytes>& out) {
  for (size_t left = queue.size(); left > 0; --left) {
    if (used + queue.front().encoded.size() > max_bytes && !out.empty()) return;
    Item item = std::move(queue.front());
    queue.pop_front();
    used += item.encoded.size();
    if (--item.rounds > 0) {
      out.push_back(item.encoded);
      queue.push_back(std::move(item));
    } else {
      out.push_back(std::move(item.encoded));
    }
  }
}

}  // namespace shoal::gossip
