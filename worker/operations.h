// Inside the worker: its running attaches and detaches, and small translations. Not for others.
#pragma once

#include "worker/session/record.h"
#include "worker/worker.h"

namespace shoal::worker {

struct Worker::AttachOp {
  AttachRequest request;
  std::function<void(Result<Attached>)> done;
  std::function<void()> over;  // ends the turn in the namespace's queue
  EndpointId id;
};

struct Worker::DetachOp {
  EndpointId id;
  std::function<void(Status)> done;
  std::function<void()> over;
  std::unique_ptr<Timer> patience;  // set while it waits for a manager
};

EndpointRecord record_of(const Attachment& attachment, const Ip& vtep);
OverlayNetwork overlay_of(const manager::Network& network);

}  // namespace shoal::worker
