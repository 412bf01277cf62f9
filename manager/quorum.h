// Which managers are needed for a decision, which answer, and what to tell people when too few do.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "base/types/error.h"

namespace shoal::manager {

struct QuorumView {
  size_t voters = 0;
  std::vector<std::string> missing;  // voters that do not answer, as people know them

  size_t needed() const { return voters / 2 + 1; }
  bool lost() const { return voters - missing.size() < needed(); }
};

// "h2 at 192.0.2.12:2377, h3 at 192.0.2.13:2377 and 2 more".
std::string listed(const std::vector<std::string>& names);

// kUnavailable: what cannot be done, who is missing, and the ways out.
Error quorum_lost_error(const QuorumView& quorum);

}  // namespace shoal::manager
