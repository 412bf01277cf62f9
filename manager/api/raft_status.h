// Collects GetRaftStatus: what this manager knows of the raft group, and what each other member
// says of itself, when it answers in time. Needs no leader and no quorum.
//
// Thread rule: strand.
#pragma once

#include <functional>
#include <memory>

#include "base/runtime/strand.h"
#include "manager/api/leader_calls.h"
#include "manager/api/replica.h"
#include "proto/control.grpc.pb.h"

namespace shoal::manager {

// Of one member; people wait for the slowest.
inline constexpr std::chrono::milliseconds kRaftStatusTimeout{1500};

// `done` once, on the strand.
void collect_raft_status(Strand& strand, Replica& replica, LeaderCalls& calls,
                         std::function<void(shoal::control::GetRaftStatusResponse)> done);

// Takes over what `answer`, the view of member `by`, knows best: itself and, if it leads, its
// peers.
void merge_raft_status(uint64_t by, const shoal::control::GetRaftStatusResponse& answer,
                       shoal::control::GetRaftStatusResponse& into);

}  // namespace shoal::manager
