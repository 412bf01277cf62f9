// The engine of the simulator: what is going to happen, in order, and the bytes on their way.
//
// An event is 32 bytes and knows nothing of what it does: a kind, a node and a slot of a slab.
// Events come out by time, those of one time in the order they were put in, so that a run repeats.
// The calendar has a bucket for each of the next 4,096 milliseconds and a heap for what is later:
// putting in and taking out cost the same whether ten or a million events wait.
#pragma once

#include <cstdint>
#include <vector>

#include "base/codec/bytes.h"
#include "base/types/check.h"

namespace shoal::gossip::sim {

enum class Kind : uint8_t {
  kWake,      // a core's deadline; slot: the token of this wake
  kPacket,    // a datagram arrives; slot: of the packets
  kConnect,   // a probe's connection reaches a host's kernel; slot: of the exchanges
  kQuestion,  // a stream's question arrives; slot: of the exchanges
  kAnswer,    // its answer arrives at the asker
  kTimeout,   // the asker has waited long enough
  kKeys,      // the managers' key ring is to be fetched
  kFreeze,    // the node gets no CPU any more; slot: the token of this starvation
  kThaw,      // and gets it back
  kAct,       // the scenario's; slot: what it likes
};

struct Event {
  int64_t at = 0;  // nanoseconds of the world's time
  uint64_t number = 0;
  uint32_t node = 0;
  uint32_t slot = 0;
  Kind kind = Kind::kWake;
};
static_assert(sizeof(Event) == 32);

class Calendar {
 public:
  Calendar() : buckets_(kBuckets) {}

  void push(int64_t at, Kind kind, uint32_t node, uint32_t slot);
  // The next event of `until` or before; false when there is none.
  bool pop(int64_t until, Event& out);
  size_t size() const { return size_; }

 private:
  static constexpr int kTickShift = 20;  // 1.05 ms
  static constexpr int64_t kBuckets = 4096;

  static int64_t tick_of(int64_t at) { return at >> kTickShift; }
  void place(const Event& event);
  bool advance();

  int64_t current_ = 0;  // heap_ holds what is of this tick and before
  std::vector<Event> heap_;
  std::vector<std::vector<Event>> buckets_;
  std::vector<Event> later_;  // a heap too
  size_t in_buckets_ = 0;
  size_t size_ = 0;
  uint64_t next_number_ = 0;
};

// Things with a count of references, by index; places are used again.
template <class T>
class Slab {
 public:
  uint32_t add(T item, uint32_t references) {
    uint32_t at = 0;
    if (free_.empty()) {
      at = static_cast<uint32_t>(items_.size());
      items_.push_back({std::move(item), references});
    } else {
      at = free_.back();
      free_.pop_back();
      items_[at] = {std::move(item), references};
    }
    return at;
  }
  T& operator[](uint32_t at) { return items_[at].item; }
  void keep(uint32_t at) { ++items_[at].references; }
  void release(uint32_t at) {
    SHOAL_CHECK(items_[at].references > 0, "released once too often");
    if (--items_[at].references != 0) return;
    items_[at].item = T();
    free_.push_back(at);
  }
  size_t used() const { return items_.size() - free_.size(); }

 private:
  struct Place {
    T item;
    uint32_t references = 0;
  };
  std::vector<Place> items_;
  std::vector<uint32_t> free_;
};

// A good hash of two numbers and a seed: whatever a pair is to have for itself comes from it.
inline uint64_t mix(uint64_t seed, uint64_t a, uint64_t b = 0) {
  uint64_t z = seed + a * 0x9e3779b97f4a7c15ULL + b * 0xd6e8feb86659fd93ULL;
  z = (z ^ (z >> 32)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 29)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 32);
}

}  // namespace shoal::gossip::sim
