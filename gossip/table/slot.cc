#include "gossip/table/slot.h"

#include <algorithm>

#include "gossip/wire/hash.h"

namespace shoal::gossip {

void Slot::for_each_live(const std::function<void(const std::string&, const Entry&)>& visit) const {
  for (const auto& [key, entry] : entries_) {
    if (!entry.deleted) visit(key, entry);
  }
}

void Slot::count_live(const std::string& key, const Entry& entry, bool appears) {
  if (entry.deleted) return;
  live_hash_ ^= Hash().add(key).add(entry.sequence).value();
  live_ += appears ? 1 : static_cast<size_t>(-1);
}

Slot::Outcome Slot::apply(const EntryEvent& event, const Bounds& bounds) {
  if (event.sequence <= complete_ || ahead_.contains(event.sequence)) return Outcome::kOld;
  const bool next = event.sequence == complete_ + 1;
  if (!next && ahead_.size() >= bounds.ahead) return Outcome::kTooFar;
  const auto it = entries_.find(event.key);
  if (it == entries_.end() && !event.deleted && entries_.size() >= bounds.entries) {
    return Outcome::kTooMany;
  }
  const bool newest = it == entries_.end() || event.sequence > it->second.sequence;
  if (newest) {
    Entry& entry = entries_[event.key];
    if (it != entries_.end()) count_live(event.key, entry, false);
    tombstones_.erase(entry.sequence);
    entry = {event.sequence, event.deleted, event.deleted ? Bytes() : event.value};
    count_live(event.key, entry, true);
    if (event.deleted) tombstones_.emplace(event.sequence, event.key);
  }
  if (next) {
    raise(event.sequence);
  } else {
    ahead_.insert(event.sequence);
  }
  return newest ? Outcome::kApplied : Outcome::kNoted;
}

void Slot::raise(uint64_t complete) {
  complete_ = std::max(complete_, complete);
  ahead_.erase(ahead_.begin(), ahead_.upper_bound(complete_));
  while (!ahead_.empty() && *ahead_.begin() == complete_ + 1) {
    ++complete_;
    ahead_.erase(ahead_.begin());
  }
  while (!tombstones_.empty() && tombstones_.begin()->first <= complete_) {
    entries_.erase(tombstones_.begin()->second);
    tombstones_.erase(tombstones_.begin());
  }
}

std::vector<std::string> Slot::apply(const Summary& summary, bool cut) {
  std::vector<std::string> removed;
  for (auto it = entries_.begin(); !cut && it != entries_.end();) {
    const Entry& entry = it->second;
    const bool gone = !entry.deleted && entry.sequence <= summary.through &&
                      !std::binary_search(summary.live.begin(), summary.live.end(), entry.sequence);
    if (!gone) {
      ++it;
      continue;
    }
    count_live(it->first, entry, false);
    removed.push_back(it->first);
    it = entries_.erase(it);
  }
  const bool all_here = std::all_of(
      summary.live.begin(), summary.live.end(),
      [this](uint64_t sequence) { return sequence <= complete_ || ahead_.contains(sequence); });
  if (all_here && summary.through > complete_) raise(summary.through);
  return removed;
}

}  // namespace shoal::gossip
