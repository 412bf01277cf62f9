// Founding a raft group anew from what one member holds: what is left when most members are lost.
//
// Everything the log holds is taken over, committed or not: the lost members may have acknowledged
// any of it, and a change nobody was promised does no harm. (An acknowledged change that this
// member never got is lost with those who had it.) The new group has one member and begins with a
// snapshot behind the old log's end, in a later term, so nothing of the old group can be taken for
// its own.
//
// No driver runs on the store and the machine. Thread rule: the driver's.
#pragma once

#include "raft/driver/ports.h"

namespace shoal::raft {

struct LogEnd {
  Index index = 0;
  Term term = 0;  // of the hard state or the last entry, whichever is later
};

// Brings the machine to the end of what is stored, applying what was not yet. Blocks for the disk.
// The store's errors; the machine's for an entry it cannot carry out; kDataLoss when it is ahead of
// the log.
Result<LogEnd> replay_to_end(LogStore& store, StateMachine& machine);

// What makes `store` the log of a group whose only member is `self`, holding `state`. A single
// save: before it is durable the old group is there, then the new one.
LogStore::Batch new_group(const Member& self, const LogEnd& end, std::string state);

}  // namespace shoal::raft
