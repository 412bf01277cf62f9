#include "manager/security/policy.h"

namespace shoal::manager {

Status authorize(const Caller& caller, Method method) {
  switch (method) {
    case Method::kGetRootCertificate:
    case Method::kIssueCertificate:
      return ok_status();
    case Method::kRenewCertificate:
    case Method::kDispatch:
      if (!caller.authenticated) break;
      return ok_status();
    case Method::kRaft:
    case Method::kCluster:
      if (!caller.authenticated) break;
      if (caller.role == Role::kManager) return ok_status();
      return permission_denied("node " + caller.node.str() +
                               " is a worker: only managers may call this");
  }
  return unauthenticated(
      "this call needs a certificate of the cluster: join it first with `shoal join`");
}

}  // namespace shoal::manager
