// Progress: what a leader knows of one follower's log, and how it sends to it.
//
//   kProbe      one append at a time, until the place where the logs agree is found
//   kReplicate  a pipeline: `next` runs ahead of `match`, bounded by Inflights
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
  void free_first();
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
  bool paused() const;
  // An acknowledgement up to `index`. False when it is old news.
  bool update(Index index);
  // A refusal of the append after `refused`; `hint` is where to try next. False when it answers
  // an older message.
  bool decrease(Index refused, Index hint);

  Index match = 0;
  Index next = 1;
  ProgressState state = ProgressState::kProbe;
  bool probe_sent = false;    // kProbe: wait for an answer (or a heartbeat's)
  Index snapshot_index = 0;   // kSnapshot: 0 until the snapshot is made
  Instant snapshot_deadline;  // kSnapshot: probe again when nothing was heard by then
  Instant last_heard;
  Index read_round = 0;  // the newest read round acknowledged
  Inflights inflights;
};

}  // namespace shoal::raft
