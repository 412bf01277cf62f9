#include "raft/log/log.h"

#include <algorithm>

#include "base/types/check.h"
#include "base/types/mark.h"

namespace shoal::raft {

Log::Log(Index offset, Term offset_term, std::vector<Entry> entries, Index commit, Index applied)
    : offset_(offset),
      offset_term_(offset_term),
      committed_(offset),
      applied_(offset),
      handed_(offset),
      stable_(offset) {
  append(std::move(entries));
  handed_ = stable_ = last_index();
  SHOAL_CHECK(applied >= offset && applied <= commit && commit <= last_index(),
              "restart outside of the log");
  committed_ = commit;
  applied_ = applied;
}

std::optional<Term> Log::term(Index index) const {
  if (index == offset_) return offset_term_;
  if (index < offset_ || index > last_index()) return std::nullopt;
  return at(index).term;
}

bool Log::is_up_to_date(Index index, Term term) const {
  return term > last_term() || (term == last_term() && index >= last_index());
}

std::vector<Entry> Log::slice(Index from, Index end, size_t max_bytes) const {
  std::vector<Entry> out;
  size_t size = 0;
  for (Index i = std::max(from, first_index()); i < end && i <= last_index(); ++i) {
    size += entry_bytes(at(i));
    if (!out.empty() && size > max_bytes) break;
    out.push_back(at(i));
  }
  return out;
}

void Log::append(std::vector<Entry> entries) {
  for (auto& entry : entries) {
    SHOAL_CHECK(entry.index == last_index() + 1, "append leaves a gap");
    bytes_ += entry_bytes(entry);
    entries_.push_back(std::move(entry));
  }
}

Log::AppendResult Log::append_after(Index index, Term term, std::vector<Entry> entries) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].index != index + 1 + i) return AppendResult::kRefused;
  }
  if (!matches(index, term)) return AppendResult::kMismatch;
  size_t fresh = 0;
  while (fresh < entries.size() && matches(entries[fresh].index, entries[fresh].term)) ++fresh;
  if (fresh == entries.size()) return AppendResult::kAppended;
  if (entries[fresh].index <= committed_) return AppendResult::kRefused;
  if (entries[fresh].index <= last_index()) SHOAL_MARK("log: a tail that conflicts is cut off");
  if (entries[fresh].index <= stable_) SHOAL_MARK("log: and it was durable");
  truncate_from(entries[fresh].index);
  entries.erase(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(fresh));
  append(std::move(entries));
  return AppendResult::kAppended;
}

void Log::truncate_from(Index index) {
  while (last_index() >= index) {
    bytes_ -= entry_bytes(entries_.back());
    entries_.pop_back();
  }
  handed_ = std::min(handed_, index - 1);
  stable_ = std::min(stable_, index - 1);
}

std::pair<Index, Term> Log::find_conflict_by_term(Index index, Term term) const {
  for (index = std::min(index, last_index()); index > 0; --index) {
    const auto here = this->term(index);
    if (!here) return {index, 0};
    if (*here <= term) return {index, *here};
  }
  return {0, 0};
}

bool Log::commit_to(Index index) {
  index = std::min(index, last_index());
  if (index <= committed_) return false;
  committed_ = index;
  return true;
}

std::vector<Entry> Log::take_unstable() {
  std::vector<Entry> out;
  for (Index i = handed_ + 1; i <= last_index(); ++i) out.push_back(at(i));
  handed_ = last_index();
  return out;
}

void Log::stable_to(Index index, Term term) {
  if (index > stable_ && matches(index, term)) {
    SHOAL_CHECK(index <= handed_, "durable before it was handed over");
    stable_ = index;
  } else if (index > stable_) {
    SHOAL_MARK("log: durable what was cut off meanwhile");
  }
}

std::vector<Entry> Log::next_committed(size_t max_bytes) const {
  return slice(applied_ + 1, std::min(committed_, stable_) + 1, max_bytes);
}

void Log::applied_to(Index index) {
  SHOAL_CHECK(index >= applied_ && index <= committed_, "applied what is not committed");
  applied_ = index;
}

void Log::compact(Index index) {
  if (index <= offset_) return;
  SHOAL_CHECK(index <= applied_, "compacting what is not applied");
  offset_term_ = *term(index);
  while (offset_ < index) {
    bytes_ -= entry_bytes(entries_.front());
    entries_.pop_front();
    ++offset_;
  }
}

void Log::restore(Index index, Term term) {
  SHOAL_CHECK(index > committed_, "snapshot older than the log");
  entries_.clear();
  bytes_ = 0;
  offset_ = committed_ = applied_ = handed_ = stable_ = index;
  offset_term_ = term;
}

}  // namespace shoal::raft
