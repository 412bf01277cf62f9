// Checks of a namespace an endpoint is to be put into: helpful refusals before anything is made.
#pragma once

#include <string>

#include "base/types/result.h"
#include "vxlan/netlink/namespace.h"
#include "worker/reconcile/state.h"

namespace shoal::worker {

// An open namespace and the completed reference that names it.
struct OpenedNamespace {
  vxlan::NamespaceFd fd;
  NamespaceRef ref;
};

// Opens what `ref` names and compares with what it knows of it. kNotFound when there is no such
// process or path, or it is another one now ("process 123 ended"); kInvalidArgument when it is not
// a network namespace; kPermissionDenied.
Result<OpenedNamespace> open_namespace(const NamespaceRef& ref);

// The above, and that it is not the host's own namespace (kInvalidArgument) and has no interface
// `ifname` (kAlreadyExists; not asked when empty). Takes well under a millisecond.
Result<NamespaceRef> check_namespace(const vxlan::NamespaceFd& host, const NamespaceRef& ref,
                                     const std::string& ifname);

// True while the reference still names the namespace it was completed for; else why not.
Status still_there(const NamespaceRef& ref);

}  // namespace shoal::worker
