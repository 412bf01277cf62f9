// Who may call what: the one place, below every front door.
#pragma once

#include <optional>

#include "base/types/id.h"
#include "base/types/result.h"
#include "manager/model/objects.h"

namespace shoal::manager {

// Groups of calls that are allowed together.
enum class Method {
  kGetRootCertificate,  // Ca
  kIssueCertificate,    // Ca: the token is checked by the call itself
  kRenewCertificate,    // Ca
  kDispatch,            // Dispatcher: for the caller's own node only
  kRaft,                // Raft messages, JoinRaft, LeaveRaft
  kCluster,             // control.Cluster, on the cluster port: forwarded by another manager
};

struct Caller {
  bool authenticated = false;  // showed a certificate of this cluster that has not been removed
  NodeId node;
  ClusterId cluster;
  Role role = Role::kWorker;
};

// kUnauthenticated or kPermissionDenied with the reason. Anyone may fetch the root certificate and
// ask for a certificate; a worker may renew and dispatch; only managers may do the rest.
Status authorize(const Caller& caller, Method method);

}  // namespace shoal::manager
