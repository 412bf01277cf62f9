#include "raft/core/progress.h"

#include <algorithm>

namespace shoal::raft {

void Inflights::add(Index last, size_t bytes) {
  entries_.push_back({last, bytes});
  bytes_ += bytes;
}

void Inflights::free_to(Index index) {
  while (!entries_.empty() && entries_.front().last <= index) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
}

void Inflights::clear() {
  entries_.clear();
  bytes_ = 0;
}

void Progress::reset(ProgressState next_state) {
  state = next_state;
  flow_paused = false;
  snapshot_index = 0;
  inflights.clear();
}

void Progress::become_probe() {
  next = state == ProgressState::kSnapshot ? std::max(match, snapshot_index) + 1 : match + 1;
  sent_commit = std::min(sent_commit, next - 1);
  reset(ProgressState::kProbe);
}

void Progress::become_replicate() {
  next = match + 1;
  sent_commit = std::min(sent_commit, next - 1);
  reset(ProgressState::kReplicate);
}

void Progress::become_snapshot(Instant give_up) {
  reset(ProgressState::kSnapshot);
  snapshot_deadline = give_up;
}

void Progress::sent(size_t count, size_t bytes, Index commit) {
  sent_commit = commit;
  if (state == ProgressState::kReplicate) {
    if (count > 0) {
      next += count;
      inflights.add(next - 1, bytes);
    }
    flow_paused = inflights.full();
  } else if (count > 0) {
    flow_paused = true;
  }
}

bool Progress::update(Index index) {
  if (index <= match) return false;
  match = index;
  next = std::max(next, index + 1);
  flow_paused = false;
  return true;
}

bool Progress::decrease(Index refused, Index hint) {
  if (state == ProgressState::kReplicate) {
    if (refused <= match) return false;
    next = match + 1;
  } else {
    if (next - 1 != refused) return false;
    next = std::max(std::min(refused, hint + 1), match + 1);
    flow_paused = false;
  }
  sent_commit = std::min(sent_commit, next - 1);
  return true;
}

}  // namespace shoal::raft
