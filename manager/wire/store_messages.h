// Model <-> the messages of proto/store.proto. Private to this folder; others use store_wire.h.
#pragma once

#include "manager/model/command.h"
#include "proto/store.pb.h"

namespace shoal::manager::wire {

store::Cluster to_wire(const Cluster& cluster);
Result<Cluster> from_wire(const store::Cluster& cluster);
store::Object to_wire(const Object& object);
Result<Object> from_wire(const store::Object& object);
void put_operation(store::Command& message, const Operation& operation);
Result<Operation> operation_from_wire(const store::Command& message);

}  // namespace shoal::manager::wire
