// Error class <-> gRPC status code, one to one, and the message unchanged (docs/NOMENCLATURE.md).
#pragma once

#include <grpcpp/support/status.h>

#include "base/types/result.h"

namespace shoal {

grpc::Status to_grpc(const Error& error);
// `status` must not be OK. Codes without a class of their own take the nearest.
Error from_grpc(const grpc::Status& status);

}  // namespace shoal
