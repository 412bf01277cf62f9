// IntervalSet: a set of numbers kept as disjoint, never touching intervals.
//
// The clever part of every allocator: what is taken, with the next number that is not, in
// O(log intervals). Addresses given in order make one interval, however many they are.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

namespace shoal::manager {

class IntervalSet {
 public:
  using Number = unsigned __int128;
  struct Interval {
    Number first = 0;
    Number last = 0;  // inclusive, so that the whole space can be told
  };

  // Adds all of first..last (first <= last); what was there already stays.
  void insert(Number first, Number last);
  void insert(Number number) { insert(number, number); }
  void erase(Number first, Number last);
  void erase(Number number) { erase(number, number); }

  bool contains(Number number) const;
  // The lowest interval that shares a number with first..last.
  std::optional<Interval> overlapping(Number first, Number last) const;
  // The lowest number in from..last that is not in the set.
  std::optional<Number> next_missing(Number from, Number last) const;
  size_t interval_count() const { return intervals_.size(); }

 private:
  std::map<Number, Number> intervals_;  // first -> last
};

}  // namespace shoal::manager
