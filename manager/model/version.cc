// Alone in its file, so that tests can make a program of the next version of it.
#include "manager/model/command.h"

namespace shoal::manager {

uint32_t version_of(const Operation& /*operation*/) { return 1; }

uint32_t state_version() { return 1; }

}  // namespace shoal::manager
