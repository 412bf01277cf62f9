// Session messages <-> proto/dispatch.proto.
#pragma once

#include "base/types/result.h"
#include "manager/dispatcher/session_messages.h"
#include "proto/dispatch.pb.h"

namespace shoal::manager::wire {

dispatch::ManagerMessage to_wire(const SessionMessage& message);
dispatch::ManagerMessage to_wire(const Assignments& message);

struct Registration {
  NodeDescription description;
  NodeAddresses addresses;
};
Result<Registration> from_wire(const dispatch::Register& message);

}  // namespace shoal::manager::wire
