// Checker: is a history of concurrent operations linearizable (Herlihy and Wing, 1990)?
//
// The model is one optional value per key:
//   create  sets it if there is none          ok = false: there was one
//   remove  takes it away if there is one     ok = false: there was none
//   write   sets it (nothing: takes it away)  ok = false: refused, had no effect
//   read    tells it                          ok = false: told nothing
//   cas     expect -> in                      ok = false: it was another
// An operation takes effect at one moment between its call and its return. Of one without a return
// the outcome is unknown: it takes effect at any moment after its call, or never.
//
// Wing and Gong's search with Lowe's memory of the states seen, one key at a time as in Porcupine.
// What keeps it short in spite of many unknown outcomes:
//   - values that nobody ever tests are one value;
//   - an unknown operation is tried after those that must come, and of several that do the same
//     only the one called first, which can stand wherever the others can;
//   - of states that differ only in the unknown ones used up, those with the fewest are tried.
// Times are of one clock; operations that touch at the same nanosecond are concurrent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::lin {

enum class Kind : uint8_t { kCreate, kRemove, kWrite, kRead, kCas };
std::string_view to_string(Kind kind);

using Value = std::optional<std::string>;

struct Operation {
  uint64_t client = 0;
  Kind kind = Kind::kRead;
  std::string key;
  Value in;                      // create, write, cas
  Value out;                     // read
  Value expect;                  // cas
  int64_t call = 0;              // ns
  std::optional<int64_t> given;  // ns, when it returned; nothing: outcome unknown
  bool ok = true;                // means nothing without a return
};

using History = std::vector<Operation>;

enum class Judgement : uint8_t { kLinearizable, kNotLinearizable, kUndecided };

struct Verdict {
  Judgement judgement = Judgement::kLinearizable;
  // Of the first key (in their order) that is not linearizable, or undecided:
  std::string key;
  std::vector<size_t> prefix;  // the longest order that could be made; indexes of the history
  Value value;                 // after it
  std::vector<size_t> stuck;   // what had to come next, one of them, and fits nowhere
  uint64_t states = 0;         // looked at, of all keys
};

struct Limits {
  // States of one key. A state takes about 100 bytes, so this is some 2 GB; histories that are
  // linearizable need about one for each operation.
  uint64_t max_states = 20'000'000;
};

// A return before its call is a bug of the caller's.
Verdict check(const History& history, const Limits& limits = {});

// "client 3 cas k a -> b = true [1200, 1900]".
std::string to_string(const Operation& operation);
// The verdict in words, many lines when it is a bad one; at most `most` operations of the prefix.
std::string explain(const History& history, const Verdict& verdict, size_t most = 20);

}  // namespace shoal::lin
