// Deadlines: when each of many things is due, the earliest first. Every change costs the logarithm
// of their number, next() nothing: a core with ten thousand timers is asked at each step.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/types/time.h"

namespace shoal {

template <typename Key>
class Deadlines {
 public:
  // Also moves the time of what is there.
  void set(const Key& key, Instant at) {
    const auto [it, added] = at_.try_emplace(key, at);
    if (!added) {
      order_.erase({it->second, key});
      it->second = at;
    }
    order_.emplace(at, key);
  }
  // False when it was there; then its time stays.
  bool add(const Key& key, Instant at) {
    if (!at_.try_emplace(key, at).second) return false;
    order_.emplace(at, key);
    return true;
  }
  void erase(const Key& key) {
    const auto it = at_.find(key);
    if (it == at_.end()) return;
    order_.erase({it->second, key});
    at_.erase(it);
  }
  bool contains(const Key& key) const { return at_.contains(key); }
  bool empty() const { return at_.empty(); }
  size_t size() const { return at_.size(); }
  // max() when there is none.
  Instant next() const { return order_.empty() ? Instant::max() : order_.begin()->first; }
  // Takes out what is due, earliest first.
  std::vector<Key> take_due(Instant now) {
    std::vector<Key> due;
    while (!order_.empty() && order_.begin()->first <= now) {
      due.push_back(order_.begin()->second);
      at_.erase(due.back());
      order_.erase(order_.begin());
    }
    return due;
  }

 private:
  std::map<Key, Instant> at_;
  std::set<std::pair<Instant, Key>> order_;
};

}  // namespace shoal
