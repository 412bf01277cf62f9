// Error class <-> gRPC status code, one to one, and the message unchanged (docs/NOMENCLATURE.md).
//
// gRPC itself says UNAVAILABLE and the like when a connection ends under a call, which may have
// been carried out; what a server of ours says is unavailable did not happen. So ours carry a mark:
// the status's details begin with kOurStatus.
#pragma once

#include <grpcpp/support/status.h>

#include "base/types/result.h"

namespace shoal {

inline constexpr char kOurStatus[] = "shoal";

grpc::Status to_grpc(const Error& error);
// `status` must not be OK. Codes without a class of their own take the nearest. A call that was
// lost on its way, there or back, is kDeadlineExceeded; one that never left is kUnavailable.
Error from_grpc(const grpc::Status& status);

}  // namespace shoal
