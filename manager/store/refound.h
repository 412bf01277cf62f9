// The objects of a cluster as its only manager goes on with them: after the other managers were
// lost
// (`shoal init --force-new-cluster`) or from a backup. Pure.
//
// Networks, endpoints, leases, quarantine, CA, tokens and nodes stay. The other managers are
// workers from now on: their daemons, should they come back, find that out and give up their copy
// of the state. The generation counts up, which is how they know whose word is the later one.
#pragma once

#include <vector>

#include "base/types/result.h"
#include "manager/model/command.h"

namespace shoal::manager {

struct Refounding {
  Node self;  // the only manager; of a node that `objects` have, only what follows is used
  uint64_t raft_id = 0;
  HostPort control;  // its cluster port
  WallTime now;
  uint64_t index = 0;  // of the new group's first snapshot: the version of what changes
};

// kDataLoss when there is no cluster among the objects.
Result<std::vector<Object>> refounded(std::vector<Object> objects, const Refounding& how);

}  // namespace shoal::manager
