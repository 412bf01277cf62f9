// What a leader tells a worker: the plain values of manager/dispatcher, under the worker's roof.
#pragma once

#include "manager/dispatcher/session_messages.h"

namespace shoal::worker {

using manager::Assignments;
using manager::ClusterInfo;
using manager::Registered;

}  // namespace shoal::worker
