// EventQueue: events of one network that are repeated against loss, each a given number of rounds,
// in order. Own events go first, but a quarter of a round is the relayed ones' while they have use
// for it: a node that changes much must not silence the others through it.
#pragma once

#include <deque>

#include "gossip/wire/message.h"

namespace shoal::gossip {

class EventQueue {
 public:
  // Own and relayed events hold at most `bound` bytes each; beyond it the oldest make room.
  explicit EventQueue(size_t bound) : bound_(bound) {}

  // False when another event had to make room.
  bool push(Bytes encoded, bool own, size_t rounds);
  bool empty() const { return own_.items.empty() && relayed_.items.empty(); }
  size_t bytes() const { return own_.bytes + relayed_.bytes; }
  // The events of one round, of at most `max_bytes` (but at least one); those that had their last
  // round are gone, the others go behind those that did not get theirs.
  std::vector<Bytes> take_round(size_t max_bytes);

 private:
  struct Item {
    Bytes encoded;
    size_t rounds = 0;
  };
  struct Queue {
    std::deque<Item> items;
    size_t bytes = 0;
  };
  static void take(Queue& queue, size_t max_bytes, size_t& used, std::vector<Bytes>& out);

  size_t bound_;
  Queue own_;
  Queue relayed_;
};

}  // namespace shoal::gossip
