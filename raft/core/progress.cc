#include "raft/core/progress.h"

#include <algorithm>

namespace shoal::raft {

void Inflights::add(Index last, size_t bytes) {
  entries_.push_back({last, bytes});
  bytes_ += bytes;
}

void Inflights::free_to(Index index) {
  while (!entries_.empty() && entries_.front().last <= index) free_first();
}

void Inflights::free_first() {
  if (entries_.empty()) return;
  bytes_ -= entries_.front().bytes;
  entries_.pop_front();
}

void Inflights::clear() {
  entries_.clear();
  bytes_ = 0;
}

void Progress::become_probe() {
  next = state == ProgressState::kSnapshot ? std::max(match, snapshot_index) + 1 : match + 1;
  state = ProgressState::kProbe;
  probe_sent = false;
  snapshot_index = 0;
  inflights.clear();
}

void Progress::become_replicate() {
  state = ProgressState::kReplicate;
  probe_sent = false;
  snapshot_index = 0;
  next = match + 1;
  inflights.clear();
}

void Progress::become_snapshot(Instant give_up) {
  state = ProgressState::kSnapshot;
  snapshot_index = 0;
  snapshot_deadline = give_up;
  inflights.clear();
}

bool Progress::paused() const {
  switch (state) {
    case ProgressState::kProbe:
      return probe_sent;
    case ProgressState::kReplicate:
      return inflights.full();
    case ProgressState::kSnapshot:
      return true;
  }
  return true;
}

bool Progress::update(Index index) {
  next = std::max(next, index + 1);
  if (index <= match) return false;
  match = index;
  probe_sent = false;
  return true;
}

bool Progress::decrease(Index refused, Index hint) {
  if (state == ProgressState::kReplicate) {
    if (refused <= match) return false;
    next = match + 1;
    return true;
  }
  if (next - 1 != refused) return false;
  next = std::max(std::min(refused, hint + 1), match + 1);
  probe_sent = false;
  return true;
}

}  // namespace shoal::raft
