// Search: the orders of the operations on one key, depth first, until one is found that fits.
//
// Calls and returns are one list in the order of time. A candidate is a call before the first
// return that is left: it may come next in the order, and then call and return leave the list; when
// none fits, the last one chosen is put back and the next is tried in its place. One that fits and
// changes nothing is taken at once and for good: it fits nowhere better.
//
// A state is the value, the known operations that are done and the unknown ones that are used up.
// One with the same value and the same done, that used up no other than these, has been there
// before: nothing more can come of this one.
#pragma once

#include <unordered_map>
#include <vector>

#include "tests/lin/checker.h"

namespace shoal::lin {

class Search {
 public:
  // `members` are the operations of one key, as indexes of `history`, none of which is a read
  // without an answer or a write that was refused.
  Search(const History& history, const std::vector<size_t>& members, const Limits& limits);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  Judgement run();
  uint64_t states() const { return states_; }
  // When it failed:
  std::vector<size_t> longest() const;
  std::vector<size_t> stuck() const;
  Value value() const;

 private:
  using State = uint32_t;  // a value; 0: there is none

  struct Step {  // an operation with values as numbers
    size_t index = 0;
    Kind kind = Kind::kRead;
    State in = 0;
    State tested = 0;  // what a read told, what a cas expects
    bool ok = true;
    bool known = true;      // it returned
    uint32_t twin = kNone;  // an unknown one that does the same and was called before
  };
  struct Event {  // in the list; a call or a return
    uint32_t step = 0;
    bool is_return = false;
    uint32_t previous = 0;
    uint32_t next = 0;
  };
  enum class Pass : uint8_t { kFree, kKnown, kUnknown };
  struct Choice {
    uint32_t step = 0;
    State before = 0;
    Pass pass = Pass::kFree;
  };
  using Bits = std::vector<uint64_t>;
  struct Memory {  // the value, and what is done without the words that are all full or all empty
    Bits words;
    friend bool operator==(const Memory&, const Memory&) = default;
  };
  struct MemoryHash {
    size_t operator()(const Memory& memory) const;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  void number_values(const std::vector<size_t>& members);
  void link(const std::vector<size_t>& members);
  void find_twins();
  std::optional<State> apply(const Step& step) const;
  bool fits(uint32_t step) const;
  bool changes_nothing(const Step& step) const;
  bool belongs(const Step& step, Pass pass) const;
  uint32_t next_candidate(uint32_t from, Pass& pass) const;
  void choose(uint32_t step, Pass pass);
  void put_back();
  void remember_longest();
  bool is_new();
  void unlink(uint32_t event);
  void relink(uint32_t event);

  const History& history_;
  const Limits limits_;
  std::vector<Step> steps_;
  std::vector<Event> events_;        // [0] is the head of the list; its next is the first
  std::vector<uint32_t> call_of_;    // by step: its events
  std::vector<uint32_t> return_of_;  // 0: none
  std::vector<Value> values_;        // by State
  Bits done_;                        // known ones chosen, by the order of their calls
  Bits used_;                        // unknown ones
  std::vector<uint32_t> bit_of_;     // by step: its place in done_ or used_
  State state_ = 0;
  size_t known_left_ = 0;
  std::vector<Choice> choices_;
  std::unordered_map<Memory, std::vector<Bits>, MemoryHash>
      seen_;  // what was used, the least of it
  uint64_t states_ = 0;
  std::vector<Choice> longest_;
  size_t longest_left_ = 0;
  State longest_state_ = 0;
  std::vector<uint32_t> stuck_;
};

}  // namespace shoal::lin
