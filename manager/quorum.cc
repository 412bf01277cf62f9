#include "manager/quorum.h"

namespace shoal::manager {
namespace {

constexpr size_t kNamed = 5;  // of the missing; more do not help anybody

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < kNamed; ++i) {
    if (i > 0) out += ", ";
    out += names[i];
  }
  if (names.size() > kNamed) out += " and " + std::to_string(names.size() - kNamed) + " more";
  return out;
}

Error quorum_lost_error(const QuorumView& quorum) {
  const bool one = quorum.missing.size() == 1;
  return unavailable(
      "the managers have lost their quorum, so nothing can be changed: " +
      std::to_string(quorum.missing.size()) + " of " + std::to_string(quorum.voters) +
      (one ? " does" : " do") + " not answer (" + listed(quorum.missing) + ") and " +
      std::to_string(quorum.needed()) +
      " are needed; what is attached keeps working. Start shoald again on " +
      (one ? "it" : "one of them") +
      ", or, if they are lost for good, run `shoal init --force-new-cluster` on a manager that is "
      "left");
}

}  // namespace shoal::manager
