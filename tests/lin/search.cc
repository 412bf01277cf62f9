#include "tests/lin/search.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace shoal::lin {
namespace {

constexpr size_t kWordBits = 64;

bool get(const std::vector<uint64_t>& bits, uint32_t at) {
  return (bits[at / kWordBits] >> (at % kWordBits) & 1) != 0;
}
void flip(std::vector<uint64_t>& bits, uint32_t at) {
  bits[at / kWordBits] ^= uint64_t{1} << (at % kWordBits);
}
std::vector<uint64_t> none_of(size_t count) {
  return std::vector<uint64_t>(count / kWordBits + 1, 0);
}

bool within(const std::vector<uint64_t>& some, const std::vector<uint64_t>& all) {
  for (size_t i = 0; i < some.size(); ++i) {
    if ((some[i] & ~all[i]) != 0) return false;
  }
  return true;
}

}  // namespace

size_t Search::MemoryHash::operator()(const Memory& memory) const {
  uint64_t hash = memory.words.size();
  for (const uint64_t word : memory.words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

Search::Search(const History& history, const std::vector<size_t>& members, const Limits& limits)
    : history_(history), limits_(limits) {
  number_values(members);
  link(members);
  find_twins();
}

// Values that no read told and no cas expects can be told apart by nobody: they are all 1.
void Search::number_values(const std::vector<size_t>& members) {
  std::set<std::string_view> tested;
  for (const size_t index : members) {
    const Operation& operation = history_[index];
    if (operation.kind == Kind::kRead && operation.out) tested.insert(*operation.out);
    if (operation.kind == Kind::kCas && operation.expect) tested.insert(*operation.expect);
  }
  values_ = {std::nullopt, "(a value nobody saw)"};
  std::map<std::string_view, State> numbers;
  for (const std::string_view value : tested) {
    numbers[value] = static_cast<State>(values_.size());
    values_.emplace_back(value);
  }
  const auto number = [&](const Value& value) -> State {
    if (!value) return 0;
    const auto found = numbers.find(*value);
    return found == numbers.end() ? 1 : found->second;
  };
  for (const size_t index : members) {
    const Operation& operation = history_[index];
    Step step{.index = index, .kind = operation.kind, .ok = true};
    step.known = operation.given.has_value();
    // An unknown one that changed nothing is the same as one that never happened.
    step.ok = operation.ok || !step.known;
    step.in = operation.kind == Kind::kRemove ? 0 : number(operation.in);
    step.tested = number(operation.kind == Kind::kCas ? operation.expect : operation.out);
    steps_.push_back(step);
    known_left_ += step.known ? 1 : 0;
  }
}

void Search::link(const std::vector<size_t>& members) {
  struct Moment {
    int64_t time;
    bool is_return;  // calls before returns: at the same time is concurrent
    uint32_t step;
    auto operator<=>(const Moment&) const = default;
  };
  std::vector<Moment> moments;
  for (uint32_t step = 0; step < steps_.size(); ++step) {
    const Operation& operation = history_[members[step]];
    moments.push_back({operation.call, false, step});
    if (operation.given) moments.push_back({*operation.given, true, step});
  }
  std::sort(moments.begin(), moments.end());
  call_of_.resize(steps_.size());
  return_of_.resize(steps_.size());
  bit_of_.resize(steps_.size());
  uint32_t known = 0;
  uint32_t unknown = 0;
  events_.emplace_back();
  for (const Moment& moment : moments) {
    const auto at = static_cast<uint32_t>(events_.size());
    events_.push_back({moment.step, moment.is_return, at - 1, 0});
    events_[at - 1].next = at;
    (moment.is_return ? return_of_ : call_of_)[moment.step] = at;
    if (!moment.is_return) bit_of_[moment.step] = steps_[moment.step].known ? known++ : unknown++;
  }
  done_ = none_of(known);
  used_ = none_of(unknown);
}

void Search::find_twins() {
  std::map<std::tuple<Kind, State, State>, uint32_t> latest;
  for (uint32_t at = events_[0].next; at != 0; at = events_[at].next) {
    const uint32_t step = events_[at].step;
    if (events_[at].is_return || steps_[step].known) continue;
    const std::tuple does{steps_[step].kind, steps_[step].in, steps_[step].tested};
    if (const auto found = latest.find(does); found != latest.end()) {
      steps_[step].twin = found->second;
    }
    latest[does] = step;
  }
}

// The value afterwards, or nothing when it could not have been so.
std::optional<Search::State> Search::apply(const Step& step) const {
  switch (step.kind) {
    case Kind::kCreate:
      if ((state_ == 0) != step.ok) return std::nullopt;
      return step.ok ? step.in : state_;
    case Kind::kRemove:
      if ((state_ != 0) != step.ok) return std::nullopt;
      return 0;
    case Kind::kWrite:
      return step.in;
    case Kind::kRead:
      if (state_ != step.tested) return std::nullopt;
      return state_;
    case Kind::kCas:
      if ((state_ == step.tested) != step.ok) return std::nullopt;
      return step.ok ? step.in : state_;
  }
  return std::nullopt;
}

bool Search::fits(uint32_t step) const {
  const Step& it = steps_[step];
  const auto after = apply(it);
  if (it.known || !after) return after.has_value();
  // An unknown one that changes nothing need not have happened.
  return *after != state_ && (it.twin == kNone || get(used_, bit_of_[it.twin]));
}

bool Search::changes_nothing(const Step& step) const {
  return step.kind == Kind::kRead || !step.ok;
}

bool Search::belongs(const Step& step, Pass pass) const {
  if (!step.known) return pass == Pass::kUnknown;
  return pass == (changes_nothing(step) ? Pass::kFree : Pass::kKnown);
}

// The first candidate from the event `from` on, in this pass or a later one; 0: none is left.
uint32_t Search::next_candidate(uint32_t from, Pass& pass) const {
  for (;;) {
    for (uint32_t at = from; at != 0 && !events_[at].is_return; at = events_[at].next) {
      const uint32_t step = events_[at].step;
      if (belongs(steps_[step], pass) && fits(step)) return at;
    }
    if (pass == Pass::kUnknown) return 0;
    pass = pass == Pass::kFree ? Pass::kKnown : Pass::kUnknown;
    from = events_[0].next;
  }
}

Judgement Search::run() {
  uint32_t from = events_[0].next;
  Pass pass = Pass::kFree;
  while (known_left_ > 0) {
    const uint32_t at = next_candidate(from, pass);
    if (at != 0) {
      choose(events_[at].step, pass);
      if (states_ >= limits_.max_states) {
        remember_longest();
        return Judgement::kUndecided;
      }
      if (pass == Pass::kFree || is_new()) {
        from = events_[0].next;
        pass = Pass::kFree;
        continue;
      }
    } else {
      remember_longest();
      while (!choices_.empty() && choices_.back().pass == Pass::kFree) put_back();
      if (choices_.empty()) return Judgement::kNotLinearizable;
    }
    const Choice last = choices_.back();
    put_back();
    from = events_[call_of_[last.step]].next;
    pass = last.pass;
  }
  return Judgement::kLinearizable;
}

// Whether nobody was here with as little used up; remembers it then.
bool Search::is_new() {
  Memory memory;
  size_t first = 0;
  while (first < done_.size() && done_[first] == UINT64_MAX) ++first;
  size_t last = done_.size();
  while (last > first && done_[last - 1] == 0) --last;
  memory.words = {uint64_t{state_} << 32 | first};
  memory.words.insert(memory.words.end(), done_.begin() + static_cast<ptrdiff_t>(first),
                      done_.begin() + static_cast<ptrdiff_t>(last));
  std::vector<Bits>& least = seen_[std::move(memory)];
  for (const Bits& used : least) {
    if (within(used, used_)) return false;
  }
  std::erase_if(least, [this](const Bits& used) { return within(used_, used); });
  least.push_back(used_);
  ++states_;
  return true;
}

void Search::choose(uint32_t step, Pass pass) {
  choices_.push_back({step, state_, pass});
  state_ = *apply(steps_[step]);
  flip(steps_[step].known ? done_ : used_, bit_of_[step]);
  known_left_ -= steps_[step].known ? 1 : 0;
  unlink(call_of_[step]);
  if (return_of_[step] != 0) unlink(return_of_[step]);
}

void Search::put_back() {
  const Choice last = choices_.back();
  choices_.pop_back();
  state_ = last.before;
  flip(steps_[last.step].known ? done_ : used_, bit_of_[last.step]);
  known_left_ += steps_[last.step].known ? 1 : 0;
  if (return_of_[last.step] != 0) relink(return_of_[last.step]);
  relink(call_of_[last.step]);
}

void Search::unlink(uint32_t event) {
  events_[events_[event].previous].next = events_[event].next;
  if (events_[event].next != 0) events_[events_[event].next].previous = events_[event].previous;
}

void Search::relink(uint32_t event) {
  events_[events_[event].previous].next = event;
  if (events_[event].next != 0) events_[events_[event].next].previous = event;
}

void Search::remember_longest() {
  if (!stuck_.empty() && known_left_ >= longest_left_) return;
  longest_left_ = known_left_;
  longest_ = choices_;
  longest_state_ = state_;
  stuck_.clear();
  for (uint32_t at = events_[0].next; at != 0 && !events_[at].is_return; at = events_[at].next) {
    if (steps_[events_[at].step].known) stuck_.push_back(events_[at].step);
  }
}

std::vector<size_t> Search::longest() const {
  std::vector<size_t> out;
  for (const Choice& choice : longest_) out.push_back(steps_[choice.step].index);
  return out;
}

std::vector<size_t> Search::stuck() const {
  std::vector<size_t> out;
  for (const uint32_t step : stuck_) out.push_back(steps_[step].index);
  return out;
}

Value Search::value() const { return values_[longest_state_]; }

}  // namespace shoal::lin
