// How a plane's pass looks at the kernel, and what it says of repairs.
#pragma once

#include <cstddef>
#include <string>

#include "vxlan/plan/op.h"

namespace shoal::worker {

// kBelieve: only where nothing is known. kStirred: also where notifications came from.
enum class Look { kBelieve, kStirred, kEverywhere };

// One pass's log lines: plans are for debugging, repairs are news.
class PassLog {
 public:
  explicit PassLog(const char* component) : component_(component) {}

  // `repairing`: no new state since the last pass, so every op is a repair.
  void begin(bool repairing) {
    repairing_ = repairing;
    logged_ = 0;
  }
  bool repairing() const { return repairing_; }
  void add(const std::string& where, const vxlan::Plan& plan);
  void add(const std::string& where, const std::string& repair);

 private:
  const char* const component_;
  bool repairing_ = false;
  size_t logged_ = 0;
};

}  // namespace shoal::worker
