#include "worker/attach/look.h"

#include "base/runtime/log.h"
#include "vxlan/plan/op.h"

namespace shoal::worker {
namespace {

// A wiped host has thousands of entries to repair; one line each would drown the log.
constexpr size_t kLoggedRepairs = 20;

}  // namespace

void PassLog::add(const std::string& where, const vxlan::Plan& plan) {
  for (const vxlan::Op& op : plan) {
    if (!repairing_) {
      log::debug(component_, "{}: {}", where, vxlan::explain(op));
    } else {
      add(where, vxlan::explain(op));
    }
  }
}

void PassLog::add(const std::string& where, const std::string& repair) {
  if (!repairing_) return;
  if (logged_++ < kLoggedRepairs) {
    log::info(component_, "repair {}: {}", where, repair);
  } else if (logged_ == kLoggedRepairs + 1) {
    log::info(component_, "repair {}: and more, not listed", where);
  }
}

}  // namespace shoal::worker
