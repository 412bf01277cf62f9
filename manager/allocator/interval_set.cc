#include "manager/allocator/interval_set.h"

#include <algorithm>
#include <iterator>

#include "base/types/check.h"

namespace shoal::manager {
namespace {

constexpr IntervalSet::Number kEnd = ~IntervalSet::Number{0};

}  // namespace

void IntervalSet::insert(Number first, Number last) {
  SHOAL_CHECK(first <= last, "an interval runs forwards");
  auto it = intervals_.upper_bound(first);
  if (it != intervals_.begin()) {
    const auto before = std::prev(it);
    // Overlaps or touches; the second comparison cannot wrap, since first > before->first.
    if (before->second >= first || before->second == first - 1) {
      first = before->first;
      last = std::max(last, before->second);
      it = intervals_.erase(before);
    }
  }
  while (it != intervals_.end() && (last == kEnd || it->first <= last + 1)) {
    last = std::max(last, it->second);
    it = intervals_.erase(it);
  }
  intervals_.emplace_hint(it, first, last);
}

void IntervalSet::erase(Number first, Number last) {
  SHOAL_CHECK(first <= last, "an interval runs forwards");
  while (const auto hit = overlapping(first, last)) {
    intervals_.erase(hit->first);
    if (hit->first < first) intervals_.emplace(hit->first, first - 1);
    if (hit->last > last) intervals_.emplace(last + 1, hit->last);
  }
}

bool IntervalSet::contains(Number number) const { return overlapping(number, number).has_value(); }

std::optional<IntervalSet::Interval> IntervalSet::overlapping(Number first, Number last) const {
  auto it = intervals_.upper_bound(first);
  if (it != intervals_.begin()) {
    const auto before = std::prev(it);
    if (before->second >= first) return Interval{before->first, before->second};
  }
  if (it == intervals_.end() || it->first > last) return std::nullopt;
  return Interval{it->first, it->second};
}

std::optional<IntervalSet::Number> IntervalSet::next_missing(Number from, Number last) const {
  if (from > last) return std::nullopt;
  const auto hit = overlapping(from, from);
  if (!hit) return from;
  // Intervals never touch, so what follows one is missing.
  if (hit->last >= last) return std::nullopt;
  return hit->last + 1;
}

}  // namespace shoal::manager
