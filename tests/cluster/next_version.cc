// Takes the place of manager/model/version.cc in a shoald of the next version, which brought a new
// command: the rotation of a join token.
#include "manager/model/command.h"

namespace shoal::manager {

uint32_t version_of(const Operation& operation) {
  return std::holds_alternative<RotateJoinToken>(operation) ? 2 : 1;
}

uint32_t state_version() { return 2; }

}  // namespace shoal::manager
