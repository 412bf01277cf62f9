// History: what clients asked and what they were told, one JSON object a line, in the order in
// which the answers came.
//
//   {"client":7,"op":"create","key":"k","in":"v","out":null,"call":1,"return":2,"ok":true}
//
// Times are nanoseconds of CLOCK_MONOTONIC, which all hosts of a lab share. `return` is null when
// the outcome is not known: it may take effect at any time after the call, or never. An operation
// that is known not to have happened has no line.
//
// A line is written at once and whole: the file can be followed, and what was acknowledged before a
// kill of this process is in it. Any thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>

namespace shoal::load {

struct Operation {
  int client = 0;
  std::string op;  // create, remove or read
  std::string key;
  std::optional<std::string> in;
  std::optional<std::string> out;
  int64_t called = 0;
  std::optional<int64_t> returned;  // absent: the outcome is not known
  bool ok = false;
};

class History {
 public:
  // Appends to `path`; ends the process when it cannot.
  explicit History(const std::string& path);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  void add(const Operation& operation);

 private:
  std::mutex mutex_;
  std::FILE* file_;
};

// CLOCK_MONOTONIC.
int64_t now_ns();

}  // namespace shoal::load
