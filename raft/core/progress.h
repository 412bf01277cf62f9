// Progress: what a leader knows of one follower's log, and how it sends to it.
//
//   kProbe      one append with entries at a time, until the place where the logs agree is found
//   kReplicate  a pipeline: `next` runs ahead of `match`, bounded by Inflights; when that is full,
//               an empty append after each heartbeat finds out whether all was lost on the way
//   kSnapshot   nothing but heartbeats, until the snapshot arrived or failed
#pragma once

#include <deque>

#include "base/types/time.h"
#include "raft/types.h"

namespace shoal::raft {

// Appends sent and not acknowledged, bounded in number and in bytes.
class Inflights {
 public:
  Inflights(size_t max_count, size_t max_bytes) : max_count_(max_count), max_bytes_(max_bytes) {}

  bool full() const {
    return entries_.size() >= max_count_ || (!entries_.empty() && bytes_ >= max_bytes_);
  }
  // `last` is the index of the last entry in the message.
  void add(Index last, size_t bytes);
  // The follower has everything up to `index`.
  void free_to(Index index);
  void clear();
  size_t count() const { return entries_.size(); }

 private:
  struct Sent {
    Index last;
    size_t bytes;
  };
  size_t max_count_;
  size_t max_bytes_;
  std::deque<Sent> entries_;
  size_t bytes_ = 0;
};

enum class ProgressState : uint8_t { kProbe, kReplicate, kSnapshot };

struct Progress {
  Progress(Index next_index, Instant now, size_t max_inflight, size_t max_inflight_bytes)
      : next(next_index), last_heard(now), inflights(max_inflight, max_inflight_bytes) {}

  void become_probe();
  void become_replicate();
  void become_snapshot(Instant give_up);
  // Nothing is sent until an answer comes.
  bool paused() const { return state == ProgressState::kSnapshot || flow_paused; }
  bool may_send_entries() const { return state != ProgressState::kReplicate || !inflights.full(); }
  // An append left, with `count` entries of `bytes` from `next` on and this commit index.
  void sent(size_t count, size_t bytes, Index commit);
  // Whether the follower may not have been told of `commit`, or not of all it could take of it.
  bool lacks_commit(Index commit) const { return commit > sent_commit && sent_commit < next - 1; }
  // An acknowledgement up to `index`. False when it is old news.
  bool update(Index index);
  // A refusal of the append after `refused`; `hint` is where to try next. False when it answers
  // an older message.
  bool decrease(Index refused, Index hint);

  Index match = 0;
  Index next = 1;
  Index sent_commit = 0;
  ProgressState state = ProgressState::kProbe;
  bool flow_paused = false;   // until an answer, or a heartbeat's
  Index snapshot_index = 0;   // kSnapshot: 0 until the snapshot is made
  Instant snapshot_deadline;  // kSnapshot: probe again when nothing was heard by then
  Instant last_heard;         // at first: since when it is known, so that it has time to answer
  bool heard = false;         // an answer came since then
  Index read_round = 0;       // the newest read round acknowledged
  Inflights inflights;

 private:
  void reset(ProgressState next_state);
};

}  // namespace shoal::raft
