// Log: the entries a member holds, and how far they are durable, committed and applied.
//
//        offset          applied   committed       stable    handed     last
//   ---------|--------------|-----------|-------------|---------|---------|
//   compacted|  <------------------ in memory ---------------------------->
//            |  (a snapshot stands for what is compacted)
//
// Everything after `offset` is in memory (bounded by the driver, which snapshots and compacts by
// count and by bytes). "Unstable" entries are those after `handed`: take_unstable() gives them to
// the driver to be saved; stable_to() says they are durable. Invariants: applied <= committed <=
// last, applied <= stable <= handed <= last; a committed entry is never truncated.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "raft/types.h"

namespace shoal::raft {

class Log {
 public:
  Log() = default;
  // What a restart found: the position before the first entry, entries in order from
  // offset + 1, all durable. `commit` and `applied` must lie within.
  Log(Index offset, Term offset_term, std::vector<Entry> entries, Index commit, Index applied);

  Index first_index() const { return offset_ + 1; }
  Index last_index() const { return offset_ + entries_.size(); }
  Term last_term() const { return *term(last_index()); }
  Index committed() const { return committed_; }
  Index applied() const { return applied_; }
  Index stable() const { return stable_; }
  size_t bytes() const { return bytes_; }

  // The term of the entry at `index`; nothing when it is compacted or beyond the end.
  std::optional<Term> term(Index index) const;
  bool matches(Index index, Term term) const { return this->term(index) == term; }
  // Whether a log ending in (index, term) is at least as complete as this one (thesis 3.6.1).
  bool is_up_to_date(Index index, Term term) const;
  // The entry must exist.
  const Entry& at(Index index) const { return entries_[index - offset_ - 1]; }
  // Entries from `from` on, as many as fit `max_bytes` (at least one, when there is one) and end
  // before `end`.
  std::vector<Entry> slice(Index from, Index end, size_t max_bytes) const;

  // Appends at the end; the indices must follow.
  void append(std::vector<Entry> entries);

  enum class AppendResult {
    kAppended,  // all entries are in the log now
    kMismatch,  // no (index, term) here
    kRefused,   // would truncate what is committed, or indices are not consecutive: a broken sender
  };
  // A follower's append after (index, term): truncates from the first conflicting entry on.
  AppendResult append_after(Index index, Term term, std::vector<Entry> entries);

  // The largest index not above `index` whose term is not above `term`, with its term when known:
  // the place where a log with (index, term) may agree with this one.
  std::pair<Index, Term> find_conflict_by_term(Index index, Term term) const;

  // Commits up to min(index, last). Never goes back. True when it advanced.
  bool commit_to(Index index);

  bool has_unstable() const { return handed_ < last_index(); }
  std::vector<Entry> take_unstable();
  // The save whose last entry was (index, term) is durable. Ignored when truncated since.
  void stable_to(Index index, Term term);

  // Committed, durable entries not applied yet, at most `max_bytes` (at least one).
  std::vector<Entry> next_committed(size_t max_bytes) const;
  bool has_next_committed() const { return applied_ < std::min(committed_, stable_); }
  void applied_to(Index index);

  // Forgets entries up to `index`, which must be applied. A no-op when already done.
  void compact(Index index);
  // Replaces everything by a snapshot at (index, term), which the caller has saved before any
  // later entry.
  void restore(Index index, Term term);

 private:
  void truncate_from(Index index);

  Index offset_ = 0;
  Term offset_term_ = 0;
  std::deque<Entry> entries_;
  size_t bytes_ = 0;
  Index committed_ = 0;
  Index applied_ = 0;
  Index handed_ = 0;
  Index stable_ = 0;
};

}  // namespace shoal::raft
