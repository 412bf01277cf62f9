// SendQueue: events on their way out, own ones and those of others, each kind in the order it
// came. The kinds share what is sent by weight: while both wait, own events get three bytes for
// each byte of relayed ones, counted over all rounds, so that neither silences the other however
// small the rounds are.
#pragma once

#include <deque>
#include <memory>

#include "base/codec/bytes.h"
#include "base/types/id.h"
#include "base/types/time.h"

namespace shoal::gossip {

// An event is encoded once, however many it goes to.
using SharedBytes = std::shared_ptr<const Bytes>;

class SendQueue {
 public:
  enum class Kind : uint8_t { kOwn, kRelayed };
  struct Item {
    NetworkId network;
    SharedBytes encoded;
    Kind kind = Kind::kOwn;
    Instant since;
  };

  // Each kind holds at most `bound` bytes; beyond it its oldest make room.
  explicit SendQueue(size_t bound) : bound_(bound) {}

  // False when another one had to make room.
  bool push(Item item);
  bool empty() const { return own_.items.empty() && relayed_.items.empty(); }
  size_t bytes() const { return own_.bytes + relayed_.bytes; }
  // When the one that waits the longest came; max() when empty.
  Instant oldest() const;
  // The next ones, of at most `max_bytes` together, but at least one.
  std::vector<Item> take(size_t max_bytes);

 private:
  struct Lane {
    std::deque<Item> items;
    size_t bytes = 0;
    uint64_t cost = 0;  // bytes taken so far, over the lane's weight
  };

  Lane& lane(Kind kind) { return kind == Kind::kOwn ? own_ : relayed_; }
  Lane& next_lane();

  size_t bound_;
  Lane own_;
  Lane relayed_;
};

}  // namespace shoal::gossip
