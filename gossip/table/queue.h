// EventQueue: events of one network that are repeated against loss. Own events go before relayed
// ones, each in order; each is repeated a given number of rounds.
#pragma once

#include <deque>

#include "gossip/wire/message.h"

namespace shoal::gossip {

class EventQueue {
 public:
  // At most `bound` of own and of relayed events; beyond it the oldest make room.
  explicit EventQueue(size_t bound) : bound_(bound) {}

  // False when another event had to make room.
  bool push(Bytes encoded, bool own, size_t rounds);
  bool empty() const { return own_.empty() && relayed_.empty(); }
  // The events of one round, of at most `max_bytes` (but at least one); those that had their last
  // round are gone, the others go behind those that did not get theirs.
  std::vector<Bytes> take_round(size_t max_bytes);

 private:
  struct Item {
    Bytes encoded;
    size_t rounds = 0;
  };
  static void take(std::deque<Item>& queue, size_t max_bytes, size_t& used,
                   std::vector<Bytes>& out);

  size_t bound_;
  std::deque<Item> own_;
  std::deque<Item> relayed_;
};

}  // namespace shoal::gossip
