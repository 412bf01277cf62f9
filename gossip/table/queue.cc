#include "gossip/table/queue.h"

#include <algorithm>

namespace shoal::gossip {
namespace {

constexpr size_t kRelayedShare = 4;

}  // namespace

bool EventQueue::push(Bytes encoded, bool own, size_t rounds) {
  Queue& queue = own ? own_ : relayed_;
  queue.bytes += encoded.size();
  queue.items.push_back({std::move(encoded), rounds});
  bool all_kept = true;
  for (; queue.bytes > bound_ && queue.items.size() > 1; all_kept = false) {
    queue.bytes -= queue.items.front().encoded.size();
    queue.items.pop_front();
  }
  return all_kept;
}

std::vector<Bytes> EventQueue::take_round(size_t max_bytes) {
  std::vector<Bytes> out;
  size_t used = 0;
  take(own_, max_bytes - std::min(relayed_.bytes, max_bytes / kRelayedShare), used, out);
  take(relayed_, max_bytes, used, out);
  return out;
}

void EventQueue::take(Queue& queue, size_t max_bytes, size_t& used, std::vector<Bytes>& out) {
  for (size_t left = queue.items.size(); left > 0; --left) {
    if (used + queue.items.front().encoded.size() > max_bytes && !out.empty()) return;
    Item item = std::move(queue.items.front());
    queue.items.pop_front();
    used += item.encoded.size();
    queue.bytes -= item.encoded.size();
    if (--item.rounds > 0) {
      out.push_back(item.encoded);
      queue.bytes += item.encoded.size();
      queue.items.push_back(std::move(item));
    } else {
      out.push_back(std::move(item.encoded));
    }
  }
}

}  // namespace shoal::gossip
